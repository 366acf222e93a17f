"use strict";
// Starts main.py and nothing else. Everything that decides anything is in Python.
const { spawnSync } = require("node:child_process");
const path = require("node:path");

const TOO_OLD = 79; // main.py's exit code on a Python that is too old
// A last resort: Python keeps budgets that are far smaller. `collect` and `send` do their work in `main`.
const SECONDS = { main: 20, post: 150, collect: 60, send: 300 };
const KEPT = /^(GITHUB_|RUNNER_|STATE_|ACTIONS_ID_TOKEN_REQUEST_|SYSTEMROOT$|HOME$|USERPROFILE$|TZ$)/i;
// The VARIABLES of the formats in collect/: they say where agents keep their logs. A test compares the two.
const PLACES = [
  "AIDER_ANALYTICS_LOG",
  "AIDER_CHAT_HISTORY_FILE",
  "AWF_TOKEN_USAGE_LOG",
  "CLAUDE_CONFIG_DIR",
  "CLINE_DATA_DIR",
  "CLINE_DIR",
  "CLINE_SESSION_DATA_DIR",
  "CODEX_HOME",
  "COPILOT_HOME",
  "GEMINI_CLI_HOME",
  "MERGEMETER_LOG_DIR",
  "OPENCODE_DB",
  "PI_CODING_AGENT_DIR",
  "PI_CODING_AGENT_SESSION_DIR",
  "QWEN_HOME",
  "QWEN_RUNTIME_DIR",
  "XDG_DATA_HOME",
];
// Read by the standalone mode alone. The token is not in our state, which is a file; the runner gives inputs to `post`
// anew. Packages are checked by their hashes, so any index will do.
const KEPT_BY_POST = /^(INPUT_GITHUB-TOKEN|PIP_INDEX_URL|UV_DEFAULT_INDEX|UV_INDEX_URL)$/i;
const KEPT_BY_MAIN = /^(INPUT_|OTEL_RESOURCE_ATTRIBUTES$|SSL_CERT_|HTTPS?_PROXY$|NO_PROXY$)/i;

// An agent can change the environment of later steps (GITHUB_ENV, GITHUB_PATH): `post` takes neither its Python from
// PATH nor anything that changes how Python or the loader starts (PYTHON*, LD_*, DYLD_*, proxies, certificates).
function environment(phase) {
  const kept = ([name]) => KEPT.test(name) || PLACES.includes(name.toUpperCase()) || (phase === "main" ? KEPT_BY_MAIN : KEPT_BY_POST).test(name);
  return Object.fromEntries(Object.entries(process.env).filter(kept));
}

function candidates(phase) {
  if (phase === "post") return process.env.STATE_python ? [[process.env.STATE_python]] : [];
  return process.platform === "win32" ? [["python"], ["py", "-3"], ["python3"]] : [["python3"], ["python"]];
}

function end(strict, sentence) {
  console.log(`::${strict ? "error" : "notice"} title=Mergemeter::${sentence}`);
  process.exitCode = strict ? 1 : 0;
}

exports.run = (phase) => {
  const seconds = (phase === "main" && SECONDS[process.env.INPUT_MODE]) || SECONDS[phase];
  const strict = (phase === "main" ? process.env["INPUT_FAIL-ON-ERROR"] : process.env.STATE_strict) === "true";
  const found = candidates(phase);
  for (const [program, ...first] of found) {
    const argv = [...first, "-I", "-S", path.join(__dirname, "main.py"), phase];
    const env = environment(phase);
    // On Windows the search for a program uses the child's PATH; elsewhere the parent's.
    if (phase === "main") env.PATH = process.env.PATH || process.env.Path || "";
    const child = spawnSync(program, argv, { stdio: "inherit", env, shell: false, timeout: seconds * 1000 });
    if (child.error && child.error.code === "ETIMEDOUT")
      return end(strict, "This job's agents were not recorded: recording took too long.");
    if (child.status === 0 || child.status === 1) return void (process.exitCode = child.status);
  }
  if (phase === "main")
    end(strict, "This job's agents are not recorded: Python 3.9 or newer was not found on this runner.");
  else if (found.length) end(strict, "This job's agents were not recorded: Python could not be started again.");
};
