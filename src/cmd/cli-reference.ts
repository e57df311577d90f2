import type { Command, Option } from "commander";
import { ENGINE_HELP } from "./engine-arguments.ts";
import { HELP as GATEWAY_HELP } from "./gateway/arguments.ts";
import { OPTIONS, type OptionRow } from "./options.ts";
import { createProgram, everyCommand } from "./program.ts";

/** docs/reference/cli.md, from the commands and the option table themselves. */
export function renderCliReference(): string {
  const commands = everyCommand(createProgram(async () => undefined)).slice(1);
  const parts = [
    "# Command line",
    "",
    "Written by `node scripts/make-cli-reference.ts` from the program itself. Exit codes: 0 done, 1 refused, 2 wrong usage.",
    "",
    "## Options by flag, environment and default",
    "",
    "A flag wins over its environment variable, and that over the default.",
    "",
    "| flag | environment | default | meaning |",
    "| --- | --- | --- | --- |",
    ...Object.values<OptionRow>(OPTIONS).map(optionRow),
    "",
    ...commands.filter((command) => command.commands.length === 0).flatMap(commandPart),
    ...helpPart("gateway", GATEWAY_HELP),
    ...helpPart("engine", ENGINE_HELP),
    "`tidegate gpu-account --help` says the flags of the process that holds the simulated GPUs' memory; `up` starts it.",
  ];
  return `${parts.join("\n").trimEnd()}\n`;
}

function optionRow(row: OptionRow): string {
  const environment = row.environment === null ? "" : `\`${row.environment}\``;
  const fallback = row.fallback === null || typeof row.fallback === "object" ? "" : `\`${row.fallback}\``;
  return `| \`${row.flags}\` | ${environment} | ${fallback} | ${row.meaning} |`;
}

function commandPart(command: Command): readonly string[] {
  const path = `${command.parent === null || command.parent.parent === null ? "" : `${command.parent.name()} `}${command.name()}`;
  const ownArguments = command.registeredArguments;
  return [
    `## tidegate ${path}`,
    "",
    `${command.description()}.`,
    "",
    "```",
    `tidegate ${path} ${command.usage()}`,
    ...examplesOf(command),
    "```",
    "",
    ...ownArguments.map((argument) => `- \`${argument.name()}\`: ${argument.description}`),
    ...command.options.map(optionLine),
    "",
  ];
}

/** Of programs that read their own command line. */
const helpPart = (name: string, help: string): readonly string[] => [`## tidegate ${name}`, "", "```", help.trimEnd(), "```", ""];

const optionLine = (option: Option): string => `- \`${option.flags}\`: ${option.description}`;

function examplesOf(command: Command): readonly string[] {
  let help = "";
  command.configureOutput({ writeOut: (text) => void (help += text) }).outputHelp();
  return [...help.matchAll(/^ {2}\$ (tidegate .+)$/gm)].map((match) => match[1] ?? "");
}
