"use strict";
require("./python.js").run("main");
