// The table of rooms for ARCHITECTURE.md, from rooms.json. With --write it replaces the table in place.
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

interface Room {
  readonly name: string;
  readonly purpose: string;
  readonly mayImport: readonly string[];
  readonly npm: readonly string[] | "any";
}
interface Plan {
  readonly floors: readonly { readonly floor: string; readonly holds: string; readonly rooms: readonly Room[] }[];
}

const root = join(import.meta.dirname, "..");
const plan: Plan = JSON.parse(readFileSync(join(root, "rooms.json"), "utf8"));
const allRooms = plan.floors.flatMap((floor) => floor.rooms.map((room) => room.name));

function imports(room: Room): string {
  const missing = allRooms.slice(0, allRooms.indexOf(room.name)).filter((name) => !room.mayImport.includes(name));
  const rooms = missing.length === 0 && room.mayImport.length > 3 ? "every room above" : room.mayImport.join(", ");
  const packages = room.npm === "any" ? "npm, node" : room.npm.join(", ");
  return [rooms, packages].filter((part) => part !== "").join("; ") || "nothing";
}

const rows = plan.floors.flatMap((floor) =>
  floor.rooms.map((room) => `| ${floor.floor} | \`${room.name}/\` | ${room.purpose} | ${imports(room)} |`),
);
const table = ["| floor | room | holds | may import |", "| --- | --- | --- | --- |", ...rows].join("\n");

if (process.argv.includes("--write")) {
  const path = join(root, "ARCHITECTURE.md");
  const text = readFileSync(path, "utf8");
  const marked = /(<!-- rooms:begin -->\n)[^]*?(<!-- rooms:end -->)/;
  if (!marked.test(text)) throw new Error("ARCHITECTURE.md has no rooms:begin and rooms:end marks.");
  writeFileSync(
    path,
    text.replace(marked, (_all, begin: string, end: string) => `${begin}${table}\n${end}`),
  );
} else {
  console.log(table);
}
