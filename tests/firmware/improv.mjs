// Sets the Wi-Fi of a board over its serial port, with the library of ESP Web Tools:
// node improv.mjs LIBRARY COMMAND…
// COMMAND runs the board; its standard input and output are the port. Prints what the
// library says as JSON.

import { spawn } from "node:child_process";
import { register } from "node:module";
import { Readable, Writable } from "node:stream";
import { pathToFileURL } from "node:url";

// The library is made for bundlers, which find a module without its extension.
const hook = `export async function resolve(name, context, next) {
  try {
    return await next(name, context);
  } catch (error) {
    if (!name.startsWith(".")) throw error;
    return next(name + ".js", context);
  }
}`;
register("data:text/javascript," + encodeURIComponent(hook));
globalThis.CustomEvent ??= class extends Event {
  constructor(name, init) {
    super(name);
    this.detail = init.detail;
  }
};

const [library, program, ...parameters] = process.argv.slice(2);
const { ImprovSerial } = await import(pathToFileURL(library));
const board = spawn(program, parameters, { stdio: ["pipe", "pipe", "inherit"] });
const console_ = [];
board.stdout.on("data", (data) => console_.push(data.toString("latin1")));
const port = {
  readable: Readable.toWeb(board.stdout),
  writable: Writable.toWeb(board.stdin),
};
const nothing = () => {};
const improv = new ImprovSerial(port, { log: nothing, error: nothing, debug: nothing });
const result = {};

async function attempt(name, action) {
  try {
    result[name] = (await action()) ?? null;
  } catch (error) {
    result[name] = `error: ${error.message ?? error}`;
  }
}

try {
  await attempt("info", () => improv.initialize(10000));
  result.before = improv.state;
  await attempt("networks", () => improv.scan(10000));
  await attempt("hostname", () => improv.getHostname(10000));
  await attempt("wrong", () => improv.provision("Home", "wrong password", 30000));
  result.between = improv.state;
  await attempt("right", () => improv.provision("Home", "password", 30000));
  result.after = improv.state;
  result.url = improv.nextUrl;
  await attempt("again", () => improv.requestCurrentState(10000));
} finally {
  result.console = console_.join("");
  board.kill();
}
process.stdout.write(JSON.stringify(result), () => process.exit());
