// `magneto passthrough -- npm run test:sessions`: one cassette for each test.
//
// Before each test a session is opened over HTTP at the proxy that the command has started, and
// fetch is sent through the session's URL; after it the session is finished, and a request that
// had no recording fails the test, even where the code under test has swallowed the 502.
import { Agent, ProxyAgent, setGlobalDispatcher } from "undici";
import { afterEach, beforeEach } from "vitest";

if (!process.env.HTTP_PROXY) {
  throw new Error("run me with `magneto passthrough -- npm run test:sessions`");
}

const control = new URL("/__magneto/sessions", process.env.HTTP_PROXY);
const direct = new Agent(); // to the proxy itself, not through it
const mode = process.env.CASSETTE_MODE ?? "auto"; // CI says `replay`: nothing is recorded there
let session, through;

beforeEach(async ({ task }) => {
  session = await ask("POST", control, { cassette: cassetteOf(task), mode });
  through = new ProxyAgent(session.url);
  setGlobalDispatcher(through);
});

afterEach(async ({ task }) => {
  if (!session) return; // it could not be opened, which has failed the test already
  setGlobalDispatcher(direct);
  await through.close();
  const save = task.result?.state !== "fail"; // what a failed test recorded is not worth keeping
  const { misses } = await ask("DELETE", `${control}/${session.key}?save=${save}`);
  session = undefined;
  if (misses.length) throw new Error(misses.join("\n"));
});

async function ask(method, url, body) {
  const options = { method, body: body && JSON.stringify(body), dispatcher: direct };
  const answer = await fetch(url, options);
  const document = await answer.json();
  if (!answer.ok) throw new Error(`magneto: ${document.detail}`);
  return document;
}

/** `users.test.js`, "users > have a name" -> `users.test/users-have-a-name` */
function cassetteOf(task) {
  const names = [task.name];
  for (let suite = task.suite; suite?.name; suite = suite.suite) names.unshift(suite.name);
  const file = task.file.name.split("/").pop().replace(/\.[^.]*$/, "");
  return `${file}/${names.join("-").replace(/[^\p{L}\p{N}]+/gu, "-")}`;
}
