"use strict";
require("./python.js").run("post");
