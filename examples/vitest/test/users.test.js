import { describe, expect, test } from "vitest";
import { userName, writePost } from "../src/users.js";

describe("users", () => {
  test("have a name", async () => {
    expect(await userName(1)).toBe("Leanne Graham");
  });

  test("may be unknown", async () => {
    expect(await userName(999)).toBe("nobody");
  });

  test("write posts", async () => {
    expect(await writePost(1, "Magnéto, Serge !")).toBe(101);
  });
});
