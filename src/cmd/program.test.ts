import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { runCli, startCli } from "./cli-rig.ts";
import { objectsAt, textAt } from "./json-at.ts";
import { parseJsonObject } from "./parse-admin-answer.ts";
import { createProgram, everyCommand } from "./program.ts";

const commands = everyCommand(createProgram(async () => undefined));
const pathOfCommand = (command: (typeof commands)[number]): string =>
  command.parent === null ? "" : `${pathOfCommand(command.parent)} ${command.name()}`.trim();

test("every command of the line has a description, an example and an output option where it prints data", () => {
  const lacking: string[] = [];
  for (const command of commands.slice(1)) {
    let help = "";
    command.configureOutput({ writeOut: (text) => (help += text) }).outputHelp();
    // simulate prints its data as JSON lines, by --log.
    const printsData = !["up", "keys", "simulate"].includes(pathOfCommand(command));
    const isComplete =
      command.description() !== "" && /Example:\n {2}\$ tidegate /.test(help) && (!printsData || help.includes("--output <form>"));
    if (!isComplete) lacking.push(pathOfCommand(command));
  }
  assert.deepEqual(lacking, []);
});

test("the help of the whole line exits with 0 and names every command", async () => {
  const { exitCode, out, err } = await runCli(["--help"]);
  assert.deepEqual([exitCode, err], [0, ""]);
  for (const command of commands.slice(1).filter((one) => one.parent?.parent === null))
    assert.ok(out.includes(`  ${command.name()}`), command.name());
});

const wrongLines: readonly { readonly args: readonly string[]; readonly says: string }[] = [
  { args: ["aply", "x.yaml"], says: "Unknown command 'aply'.\n  why:  (Did you mean apply?)\n  next: tidegate --help\n" },
  {
    args: ["get", "--adminport", "1"],
    says: "Unknown option '--adminport'.\n  why:  (Did you mean --admin-port?)\n  next: tidegate get --help\n",
  },
  { args: ["apply"], says: "Missing required argument 'path'.\n  next: tidegate apply --help\n" },
  {
    args: ["get", "--admin-port", "70000"],
    says: "Option '--admin-port <port>' argument '70000' is invalid. A port is a whole number from 0 to 65535.\n  next: tidegate get --help\n",
  },
  {
    args: ["version", "-o", "xml"],
    says: "Option '-o, --output <form>' argument 'xml' is invalid. It is table, json or yaml.\n  next: tidegate version --help\n",
  },
  { args: ["keys", "create"], says: "Required option '--tenant <tenant>' not specified.\n  next: tidegate keys create --help\n" },
  {
    args: ["get", "podz"],
    says: "get knows no podz.\n  why:  It knows instances, services, nodes, partitions, relocations, records, keys, attached, reservations.\n  next: tidegate get --help\n",
  },
  {
    args: ["get", "nodes", "-w"],
    says: "-w follows instances and records only.\n  why:  nodes cannot be followed yet.\n  next: tidegate get --help\n",
  },
  {
    args: ["delete", "partition", "x"],
    says: "delete takes no partition away.\n  why:  It takes service, node, key, reservation; the rest is made and removed by the controllers.\n  next: tidegate delete --help\n",
  },
];
for (const { args, says } of wrongLines) {
  test(`wrong usage: tidegate ${args.join(" ")} exits with 2 and says where its help is`, async () => {
    assert.deepEqual(await runCli(args), { exitCode: 2, out: "", err: says });
  });
}

test("an environment variable stands in for its flag, and the flag wins", async () => {
  const env = { TIDEGATE_ADMIN_PORT: "9" };
  assert.match((await runCli(["get"], { env })).err, /does not answer at 127\.0\.0\.1:9\./);
  assert.match((await runCli(["get", "--admin-port", "11"], { env })).err, /does not answer at 127\.0\.0\.1:11\./);
});

test("a wrong value in the environment is named with its variable", async () => {
  const { exitCode, err } = await runCli(["get"], { env: { TIDEGATE_ADMIN_PORT: "http" } });
  assert.equal(exitCode, 2);
  assert.match(err, /TIDEGATE_ADMIN_PORT/);
});

test("without a control plane a command is refused with what, why and next", async () => {
  const { exitCode, out, err } = await runCli(["get", "instances", "--admin-port", "9"]);
  assert.deepEqual([exitCode, out], [1, ""]);
  assert.match(
    err,
    /^The control plane does not answer at 127\.0\.0\.1:9\.\n {2}why: {2}.*ECONNREFUSED.*\n {2}next: Start it with `tidegate up`/,
  );
});

test("a reader that closes the pipe early, as head does, is no failure", async () => {
  const running = startCli(["get", "--help"]);
  running.child.stdout?.destroy();
  assert.deepEqual([await running.exited, running.err()], [0, ""]);
});

test("the version is printed for people and for programs", async () => {
  assert.match((await runCli(["version"])).out, /^tidegate \d+\.\d+\.\d+ \(Node 24\./);
  const json = parseJsonObject((await runCli(["version", "-o", "json"])).out);
  assert.match(textAt(json, "tidegate") ?? "", /^\d+\.\d+\.\d+$/);
});

async function validateText(text: string, args: readonly string[] = []) {
  const folder = mkdtempSync(join(tmpdir(), "tidegate-validate-"));
  writeFileSync(join(folder, "service.yaml"), text);
  try {
    return await runCli(["validate", "service.yaml", ...args], { cwd: folder });
  } finally {
    rmSync(folder, { recursive: true });
  }
}
const HEAD = "apiVersion: inference.example.com/v1\nkind: HotStandbyConfig\nmetadata: { name: gold }\nspec:\n  tenant: gold\n";

test("validate of a good manifest exits with 0", async () => {
  const { exitCode, out } = await validateText(`${HEAD}  tier: silver\n`);
  assert.deepEqual([exitCode, out], [0, "Valid: 1 file, 1 resource, 0 warnings.\n"]);
});

test("validate of a bad manifest exits with 1 and names file, line, column, path and the nearest name", async () => {
  const { exitCode, out, err } = await validateText(`${HEAD}  hotStandbi: { gpuCount: 1 }\n`);
  assert.deepEqual([exitCode, out], [1, ""]);
  assert.match(err, /^service\.yaml:6:3: UNKNOWN_FIELD: .*spec\.hotStandbi.*\n.*\n.*hotStandby/);
  assert.match(err, /Refused: 1 problem in 1 file, 0 resources, 0 warnings\.\n$/);
});

test("validate for programs prints one object on standard output, whatever it finds", async () => {
  const { exitCode, out } = await validateText(`${HEAD}  tier: bronze\n`, ["-o", "json"]);
  const json = parseJsonObject(out);
  const codes = objectsAt(json, "problems").map((problem) => problem["code"]);
  assert.deepEqual([exitCode, json["kind"], codes], [1, "ValidationResult", ["WRONG_VALUE"]]);
});

test("validate of a path that is not there is refused, not passed", async () => {
  const { exitCode, err } = await runCli(["validate", "no-such-folder"]);
  assert.equal(exitCode, 1);
  assert.match(err, /^no-such-folder cannot be read\.\n {2}why: {2}ENOENT/);
});

test("control characters of a manifest do not reach the terminal", async () => {
  const { err } = await validateText(`${HEAD}  "\\e[31mred": 1\n`);
  assert.ok(!err.includes("\u001B") && err.includes("red"), err);
});
