import { defineConfig } from "vitest/config";

// `vitest run` goes where the environment says; `vitest run --mode sessions` gives each test a
// cassette of its own.
export default defineConfig(({ mode }) => ({
  test: {
    setupFiles: [mode === "sessions" ? "./magneto/sessions.js" : "./magneto/environment.js"],
  },
}));
