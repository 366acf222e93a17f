// The peer: an App on Probot that verifies each delivery, does nothing and stores nothing.
import { run } from "probot";

run((app) => {
  app.on("pull_request", async () => {});
});
