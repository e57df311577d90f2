import { Command, CommanderError, InvalidArgumentError, Option } from "commander";
import { parseDuration } from "../api/parse-duration.ts";
import { CLIENT_OPTIONS, optionOf, type ClientOptions, type OptionKey, type UpOptions } from "./options.ts";
import { ADMIN_PORT, LOOPBACK } from "./find-admin.ts";
import type { GetOptions } from "./get.ts";
import type { MoveOptions } from "./request-move.ts";
import type { PlaceOptions } from "./place.ts";
import type { RenderOptions } from "./render.ts";
import type { Shard } from "./campaign-parts.ts";
import type { ScenarioOptions } from "./scenario.ts";
import type { SimulateOptions } from "./simulate.ts";

/** Runs a command that was found; the number becomes the exit code. */
export type Finish = (run: Promise<number>) => Promise<void>;

// Every command's code is imported when it runs: `get` starts without the platform, the schemas and YAML.

/** The whole command line. `finish` is told each command's outcome. */
export function createProgram(finish: Finish): Command {
  const program = new Command("tidegate")
    .description("Keeps large-model inference up, and its GPUs full, for many tenants at once.")
    .helpOption("-h, --help", "say how it is used")
    .helpCommand(false)
    .showSuggestionAfterError(true)
    .addHelpText("after", PROCESSES);
  addUp(program, finish);
  addReaders(program, finish);
  addWriters(program, finish);
  addMoves(program, finish);
  addKeys(program, finish);
  addTools(program, finish);
  return program;
}

const PROCESSES = `
Processes that \`up\` starts by itself, each with its own --help: engine, gateway, gpu-account.
Exit codes: 0 done, 1 refused (what, why, what next on the error stream), 2 wrong usage.`;

/** More threads than processors only wait for each other. */
const JOBS_MAX = 64;

const FORCE_MEANING = "let in promises that physics cannot keep: each such service carries the condition PromiseAtRisk";

const example = (...lines: readonly string[]): string => `\nExample:\n${lines.map((line) => `  $ tidegate ${line}`).join("\n")}`;

function withOptions(command: Command, keys: readonly OptionKey[]): Command {
  for (const key of keys) command.addOption(optionOf(key));
  return command.helpOption("-h, --help", "say how it is used");
}

function addUp(program: Command, finish: Finish): void {
  const command = program
    .command("up")
    .description("start the embedded platform: control plane, gateway, engines")
    .argument("[path...]", "manifests, or folders of manifests, to apply and to watch")
    .option("--force", FORCE_MEANING);
  withOptions(command, ["attach", "gatewayPort", "gatewayHost", "gatewayTlsCert", "gatewayTlsKey"])
    .addOption(optionOf("adminPort", { fallback: ADMIN_PORT, meaning: "port of the admin API; 0 picks a free one" }))
    .addOption(
      optionOf("adminHost", { fallback: LOOPBACK, meaning: "address that the admin API listens on; beyond loopback it needs a token" }),
    );
  for (const key of ["adminName", "adminTokenFile", "dataDir"] as const) command.addOption(optionOf(key));
  command
    .addHelpText("after", example("up examples/laptop", "up --attach local-1=http://127.0.0.1:8000"))
    .action(async (paths: readonly string[], options: Omit<UpOptions, "paths">) => {
      const { runUp } = await import("./up.ts");
      await finish(runUp({ ...options, paths }));
    });
}

function addReaders(program: Command, finish: Finish): void {
  const get = program
    .command("get")
    .description("show instances, services, nodes, partitions, relocations, keys, records, attached engines or the reservation")
    .argument("[kind]", "instances, services, nodes, partitions, relocations, keys, records, attached or reservations", "instances")
    .argument("[name]", "one of them; of instances also a service's name")
    .option("-w, --watch", "stay, and show each change of an instance or a record as it happens");
  withOptions(get, ["output", ...CLIENT_OPTIONS])
    .addHelpText("after", example("get instances -w", "get services -o json"))
    .action(async (kind: string, name: string | undefined, options: GetOptions) => {
      const { runGet } = await import("./get.ts");
      await finish(runGet(kind, name ?? null, options));
    });
  const describe = program
    .command("describe")
    .description("say how a service stands, why it moved or did not, and what its promise leaves out")
    .argument("<service>", "name of a HotStandbyConfig");
  withOptions(describe, ["output", ...CLIENT_OPTIONS])
    .addHelpText("after", example("describe tenant-platinum"))
    .action(async (service: string, options: Output) => {
      const { runDescribe } = await import("./describe.ts");
      await finish(runDescribe(service, options));
    });
}

type Output = ClientOptions & { readonly output: string };

function addWriters(program: Command, finish: Finish): void {
  const apply = program
    .command("apply")
    .description("create or change resources from manifests, all or none")
    .argument("<path...>", "manifests, or folders of manifests")
    .option("--dry-run", "check everything and change nothing")
    .option("--force", FORCE_MEANING);
  withOptions(apply, ["output", ...CLIENT_OPTIONS])
    .addHelpText("after", example("apply services.yaml", "apply manifests/ --dry-run"))
    .action(async (paths: readonly string[], options: Output & { readonly dryRun?: boolean; readonly force?: boolean }) => {
      const { runApply } = await import("./apply.ts");
      await finish(runApply(paths, options));
    });
  const remove = program
    .command("delete")
    .description("take a service, a node, a key or the reservation away")
    .argument("<kind>", "service, node, key or reservation")
    .argument("<name>", "which");
  withOptions(remove, ["output", ...CLIENT_OPTIONS])
    .addHelpText("after", example("delete service tenant-silver"))
    .action(async (kind: string, name: string, options: Output) => {
      const { runDelete } = await import("./delete.ts");
      await finish(runDelete(kind, name, options));
    });
}

function addMoves(program: Command, finish: Finish): void {
  const failover = program
    .command("failover")
    .description("move a service down its ladder on purpose: the rung is made ready first, so that nothing is lost")
    .argument("<service>", "name of a HotStandbyConfig")
    .addOption(
      new Option("--to <level>", "the rung; absent = the next one down that can be made to serve").choices(["hot", "warm", "cold"]),
    );
  withWait(failover)
    .addHelpText("after", example("failover tenant-platinum --to warm"))
    .action(async (service: string, options: MoveOptions) => {
      const { requestMove } = await import("./request-move.ts");
      await finish(requestMove("failover", service, options));
    });
  const failback = program
    .command("failback")
    .description("move a service back to its hot instances at once, without soak and steps; refused while one of them is not Ready")
    .argument("<service>", "name of a HotStandbyConfig");
  withWait(failback)
    .addHelpText("after", example("failback tenant-platinum"))
    .action(async (service: string, options: MoveOptions) => {
      const { requestMove } = await import("./request-move.ts");
      await finish(requestMove("failback", service, options));
    });
  const resume = program
    .command("resume")
    .description("end the Hold of a service: its count of automatic moves and its error budget begin anew")
    .argument("<service>", "name of a HotStandbyConfig");
  withWait(resume)
    .addHelpText("after", example("resume tenant-platinum"))
    .action(async (service: string, options: MoveOptions) => {
      const { requestMove } = await import("./request-move.ts");
      await finish(requestMove("resume", service, options));
    });
}

const MOVE_WAIT_MS = 60_000;

function withWait(command: Command): Command {
  const wait = new Option("--wait [duration]", "stay until it has ended, at most so long")
    .argParser(readWait)
    .default(MOVE_WAIT_MS, "1m")
    .preset("1m");
  return withOptions(command.addOption(wait).option("--no-wait", "return as soon as it is requested"), ["output", ...CLIENT_OPTIONS]);
}

function readWait(text: string): number {
  const wait = parseDuration(text);
  if (!wait.ok || wait.value === 0) throw new InvalidArgumentError("It is a duration such as 30s or 2m.");
  return wait.value;
}

function addKeys(program: Command, finish: Finish): void {
  const keys = program.command("keys").description("make, list and take back the API keys of tenants").helpCommand(false);
  const create = keys.command("create").description("make a key and show it once").requiredOption("--tenant <tenant>", "whose key it is");
  withOptions(create, ["output", ...CLIENT_OPTIONS])
    .addHelpText("after", example("keys create --tenant tenant-gold"))
    .action(async (options: Output & { readonly tenant: string }) => {
      const { runKeysCreate } = await import("./keys.ts");
      await finish(runKeysCreate(options));
    });
  withOptions(keys.command("list").description("list the keys: never the keys themselves, only how they begin"), [
    "output",
    ...CLIENT_OPTIONS,
  ])
    .addHelpText("after", example("keys list"))
    .action(async (options: GetOptions) => {
      const { runGet } = await import("./get.ts");
      await finish(runGet("keys", null, options));
    });
  withOptions(keys.command("delete").description("take a key back").argument("<id>", "as `keys list` shows it"), [
    "output",
    ...CLIENT_OPTIONS,
  ])
    .addHelpText("after", example("keys delete key-1a2b3c4d5e"))
    .action(async (id: string, options: Output) => {
      const { runKeysDelete } = await import("./keys.ts");
      await finish(runKeysDelete(id, options));
    });
  keys.helpOption("-h, --help", "say how it is used").addHelpText("after", example("keys create --tenant tenant-gold", "keys list"));
}

function addTools(program: Command, finish: Finish): void {
  const validate = program
    .command("validate")
    .description("check manifests without a control plane")
    .argument("<path...>", "manifests, or folders of manifests")
    .option("--force", FORCE_MEANING);
  withOptions(validate, ["output"])
    .addHelpText("after", example("validate examples/laptop"))
    .action(async (paths: readonly string[], options: { readonly output: string; readonly force?: boolean }) => {
      const { runValidate } = await import("./validate.ts");
      await finish(runValidate(paths, options));
    });
  addPlace(program, finish);
  addRender(program, finish);
  const doctor = program.command("doctor").description("look for what keeps the platform from running on this machine");
  withOptions(doctor, ["output", ...CLIENT_OPTIONS, "gatewayHost", "gatewayPort"])
    .addHelpText("after", example("doctor"))
    .action(async (options: Output & { readonly gatewayHost: string; readonly gatewayPort: number }) => {
      const { runDoctor } = await import("./doctor.ts");
      await finish(runDoctor(options));
    });
  addSimulate(program, finish);
  addScenario(program, finish);
  withOptions(program.command("version").description("print the version"), ["output"])
    .addHelpText("after", example("version"))
    .action(async (options: { readonly output: string }) => {
      const { runVersion } = await import("./version.ts");
      await finish(runVersion(options));
    });
}

function addPlace(program: Command, finish: Finish): void {
  const place = program
    .command("place")
    .description("say where each instance would stand, and of every node why or why not; changes nothing")
    .argument("[path...]", "manifests, or folders of manifests, laid over what the running platform has; none = that alone")
    .option("--dry-run", "a must: places are given by the platform itself")
    .option("--alone", "the manifests alone, whatever runs")
    .option("--service <name>", "only this one's instances");
  withOptions(place, ["output", ...CLIENT_OPTIONS])
    .addHelpText("after", example("place --dry-run", "place --dry-run --alone examples/laptop", "place --dry-run new-service.yaml -o json"))
    .action(async (paths: readonly string[], options: PlaceOptions) => {
      const { runPlace } = await import("./place.ts");
      await finish(runPlace(paths, options));
    });
}

function addRender(program: Command, finish: Finish): void {
  const render = program
    .command("render")
    .description(
      "print what other systems need: the ConfigMap standby-gpu-reservation of the configs, or the alert rules as a rule file for Prometheus",
    )
    .argument("[path...]", "manifests, or folders of manifests; none = what the running platform has")
    .option("--target <target>", "reservation, or prometheus-rules (takes no path: it is the same for every config)");
  withOptions(render, ["output", ...CLIENT_OPTIONS])
    .addHelpText(
      "after",
      example("render --target reservation examples/laptop", "render --target reservation", "render --target prometheus-rules"),
    )
    .action(async (paths: readonly string[], options: RenderOptions) => {
      const { runRender } = await import("./render.ts");
      await finish(runRender(paths, options));
    });
}

function addSimulate(program: Command, finish: Finish): void {
  withOptions(program.command("simulate"), [])
    .description("run the whole platform on a virtual clock with a fault in one engine, and check what its clients got")
    .option("--seed <n>", "the first world; the same seed gives the same history", wholeNumber, 1)
    .option("--seeds <n>", "how many worlds", wholeNumber, 1)
    .option("--seconds <n>", "virtual seconds of load", wholeNumber, 10)
    .addOption(
      new Option(
        "--fault <kind>",
        "what happens to the engine; ladder = everything, to three services with standbys; without it: kill, then ladder",
      ).choices(["kill", "freeze", "hang", "ladder"]),
    )
    .option("--without-control-plane", "the control plane is away when it happens", false)
    .option("--log", "print every event as a JSON line", false)
    .option("--crash-points", "print the calls at which control plane and gateway can be made to crash, and run nothing", false)
    .option("--measure", "run 3 healthy services with 12 instances, and print virtual seconds per second", false)
    .option("--warm-up-seconds <n>", "with --measure: so many before, in which the program is compiled", wholeNumber, 8_000)
    .option("--json <file>", "with --measure: write what was measured there too, as a row against what it must be")
    .option("--events <list>", "only these of the ladder's events of the seed, such as 3,7,9; or none", eventList)
    .option("--gpu-faults", "ladder only: also Xids of single engines and slow drivers, beside what the seed draws without them", false)
    .option("--campaign", "ladder only, seed after seed, with a merged table of what was seen", false)
    .option("--first-failure", "of a campaign: end at the first seed that breaks a promise", false)
    .option("--jobs <n>", "of a campaign: how many worlds run at once, each in a thread", jobCount, 1)
    .option("--shard <i/n>", "of a campaign: the i-th of n parts", shardOf)
    .option("--resume <file>", "of a campaign: a line for each seed; seeds that stand there are not run again")
    .option("--shrink <seed>", "leave out what a failing seed does not need, and print the line that replays the rest", wholeNumber)
    .addHelpText(
      "after",
      example(
        "simulate --seed 7 --seconds 10",
        "simulate --seeds 20 --fault freeze --without-control-plane",
        "simulate --campaign --seeds 1000 --seconds 60 --jobs 2 --resume ledger.jsonl",
        "simulate --campaign --seeds 200 --seconds 60 --gpu-faults",
        "simulate --shrink 17 --seconds 60",
      ),
    )
    .action(async (options: SimulateOptions) => {
      const { runSimulate } = await import("./simulate.ts");
      await finish(runSimulate(options));
    });
}

function addScenario(program: Command, finish: Finish): void {
  const scenario = program
    .command("scenario")
    .description("play scenario files in the simulator, and check that each ends as it states")
    .argument("<file...>", "scenario files, or folders of them")
    .option("--seed <n>", "the world; the same seed gives the same run", wholeNumber, 1)
    .option("--crash-points", "play each once for every crash point of control plane and gateway, with a death there", false)
    .option("--jobs <n>", "with --crash-points: how many worlds run at once, each in a thread", jobCount, 1);
  withOptions(scenario, ["output"])
    .addHelpText(
      "after",
      example("scenario scenarios/one-hot-killed.scenario", "scenario scenarios -o json", "scenario scenarios --crash-points --jobs 2"),
    )
    .action(async (paths: readonly string[], options: ScenarioOptions) => {
      const { runScenarios } = await import("./scenario.ts");
      await finish(runScenarios(paths, options));
    });
}

function wholeNumber(text: string): number {
  const value = Number(text);
  if (!/^\d{1,9}$/.test(text) || value < 1) throw new InvalidArgumentError("It must be a whole number of at least 1.");
  return value;
}

/** Indexes of events, from 1. */
function eventList(text: string): readonly number[] {
  return text === "none" ? [] : text.split(",").map(wholeNumber);
}

function jobCount(text: string): number {
  const count = wholeNumber(text);
  if (count >= 1 && count <= JOBS_MAX) return count;
  throw new InvalidArgumentError(`It takes 1 to ${JOBS_MAX}.`);
}

function shardOf(text: string): Shard {
  const [, part = 0, of = 0] = (/^(\d{1,4})\/(\d{1,4})$/.exec(text) ?? []).map(Number);
  if (part < 1 || part > of) throw new InvalidArgumentError("It must be i/n with i from 1 to n, such as 1/2.");
  return { part, of };
}

/**
 * Parses and runs. Usage errors are explained as everything else is: what, why, next.
 * @returns the exit code.
 */
export async function runProgram(argv: readonly string[]): Promise<number> {
  let exitCode = 0;
  const program = createProgram(async (run) => {
    exitCode = await run;
  });
  for (const command of everyCommand(program)) {
    command.exitOverride().configureOutput({ outputError: (text, write) => write(explainUsage(text, command)) });
  }
  try {
    await program.parseAsync(argv, { from: "user" });
    return exitCode;
  } catch (cause) {
    if (!(cause instanceof CommanderError)) throw cause;
    return cause.exitCode === 0 ? 0 : 2;
  }
}

export const everyCommand = (command: Command): readonly Command[] => [command, ...command.commands.flatMap(everyCommand)];

function explainUsage(text: string, command: Command): string {
  const [what = "", ...why] = text
    .replace(/^error: /, "")
    .trim()
    .split("\n");
  const path: string[] = [];
  for (let at: Command | null = command; at !== null; at = at.parent) path.unshift(at.name());
  const because = why.length === 0 ? "" : `  why:  ${why.join(" ")}\n`;
  return `${what.charAt(0).toUpperCase()}${what.slice(1)}${what.endsWith(".") ? "" : "."}\n${because}  next: ${path.join(" ")} --help\n`;
}
