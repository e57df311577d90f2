import assert from "node:assert/strict";
import { test } from "node:test";
import { parseManifests } from "./parse-manifests.ts";
import type { Problem } from "./problem.ts";

const HEAD = "apiVersion: v1\nkind: ConfigMap\nmetadata: { name: standby-gpu-reservation, namespace: kube-system }\n";
const read = (text: string) => parseManifests([{ path: "r.yaml", text }]);
const shortOf = ({ code, line, column, path }: Problem): string => `${code} ${line}:${column} ${path}`;
const shortly = (text: string): readonly string[] => read(text).problems.map(shortOf);

test("the published reservation is read as it stands", () => {
  const { drafts, problems } = read(`${HEAD}data:
  reservation.yaml: |
    tenants:
    - name: tenant-platinum
      hotStandby: { gpuCount: 2, memoryReserved: 80GB, nodeSelector: { topology.kubernetes.io/zone: az-1 } }
      warmStandby: { gpuCount: 1, memoryReserved: 40GB, gpuMemoryShare: true }
    - name: tenant-gold
      hotStandby: { gpuCount: 1, memoryReserved: 40GB }
      warmStandby: { gpuMemoryShare: true, memoryReserved: 20GB }
`);
  assert.deepEqual(problems, []);
  assert.deepEqual(
    drafts.map(({ kind, name }) => [kind, name]),
    [["ReservationMap", "standby-gpu-reservation"]],
  );
  assert.deepEqual(drafts[0]?.spec["tenants"], [
    {
      name: "tenant-platinum",
      hotStandby: { gpuCount: 2, memoryReserved: "80GB", nodeSelector: { "topology.kubernetes.io/zone": "az-1" } },
      warmStandby: { gpuCount: 1, memoryReserved: "40GB", gpuMemoryShare: true },
    },
    {
      name: "tenant-gold",
      hotStandby: { gpuCount: 1, memoryReserved: "40GB" },
      warmStandby: { gpuMemoryShare: true, memoryReserved: "20GB" },
    },
  ]);
});

const wrong = "tenants[1].warmStandby.memoryReserved";
const forms: readonly { readonly name: string; readonly data: string; readonly place: string }[] = [
  {
    name: "a literal block",
    data: "data:\n  reservation.yaml: |\n    tenants:\n    - name: a\n    - name: b\n      warmStandby:\n        memoryReserved: 20\n",
    place: "10:25",
  },
  {
    name: "a literal block with a comment, chomping and blank lines before it",
    data: "data:\n  reservation.yaml: |-\n\n    # Ours.\n\n    tenants: [{ name: a },\n      { name: b, warmStandby: { memoryReserved: 20 } }]\n",
    place: "10:49",
  },
  {
    name: "a literal block whose text is indented itself",
    data: "data:\n  reservation.yaml: |2\n      tenants:\n      - name: a\n      - { name: b, warmStandby: { memoryReserved: 20 } }\n",
    place: "8:51",
  },
  {
    name: "a quoted text",
    data: 'data:\n  reservation.yaml: "tenants:\\n- name: a\\n- { name: b, warmStandby: { memoryReserved: 20 } }\\n"\n',
    place: "5:21",
  },
  {
    name: "an aliased text",
    data: "data:\n  reservation.yaml: &text |\n    tenants:\n    - name: a\n    - { name: b, warmStandby: { memoryReserved: 20 } }\n",
    place: "8:49",
  },
];
for (const { name, data, place } of forms) {
  test(`a mistake inside the reservation is told at its place in the file: ${name}`, () => {
    assert.deepEqual(shortly(HEAD + data), [`WRONG_TYPE ${place} data.reservation.yaml.${wrong}`]);
  });
}

test("a place inside a file of several documents with line ends of Windows is right too", () => {
  const data = "data:\n  reservation.yaml: |\n    tenants:\n    - name: a\n      warmStandbi: {}\n";
  const text = `apiVersion: v1\nkind: Nothing\n---\n${HEAD}${data}`.replaceAll("\n", "\r\n");
  assert.deepEqual(shortly(text).slice(1), ["UNKNOWN_FIELD 11:7 data.reservation.yaml.tenants[0].warmStandbi"]);
  assert.equal(read(text).problems.at(-1)?.next, "Did you mean warmStandby?");
});

const inside = (yaml: string): string =>
  `${HEAD}data:\n  reservation.yaml: |\n${yaml
    .split("\n")
    .map((line) => `    ${line}`)
    .join("\n")}\n`;
const laughs = (count: number): string =>
  [
    "a: &a [x, x, x, x, x, x, x, x, x]",
    ..."bcdefghi"
      .slice(0, count)
      .split("")
      .map((key, at) => `${key}: &${key} [${Array.from({ length: 9 }, () => `*${"abcdefghi"[at]}`).join(", ")}]`),
  ].join("\n");

const bad: readonly { readonly name: string; readonly text: string; readonly says: readonly string[] }[] = [
  { name: "broken YAML", text: inside("tenants:\n- name: [a"), says: ["INVALID_YAML 8:5 data.reservation.yaml"] },
  { name: "a key that stands twice", text: inside("tenants: []\ntenants: []"), says: ["DUPLICATE_KEY 7:5 data.reservation.yaml"] },
  { name: "aliases that blow up", text: inside(laughs(8)), says: ["YAML_BOMB 6:5 data.reservation.yaml"] },
  { name: "brackets without end", text: inside(`tenants: ${"[".repeat(300)}`), says: ["TOO_DEEP 6:1 "] },
  { name: "nothing", text: inside("# Nothing yet."), says: ['MISSING_FIELD 5:21 data["reservation.yaml"]'] },
  { name: "two documents", text: inside("tenants: []\n---\ntenants: []"), says: ['WRONG_VALUE 5:21 data["reservation.yaml"]'] },
  { name: "a list", text: inside("- name: a"), says: ["WRONG_TYPE 6:5 data.reservation.yaml"] },
  {
    name: "no tenants",
    text: inside("tenant: []"),
    says: ["MISSING_FIELD 6:5 data.reservation.yaml.tenants", "UNKNOWN_FIELD 6:5 data.reservation.yaml.tenant"],
  },
  {
    name: "one name twice",
    text: inside("tenants: [{ name: a },\n  { name: a }]"),
    says: ["DUPLICATE_RESOURCE 7:15 data.reservation.yaml.tenants[1].name"],
  },
  {
    name: "a name that is none",
    text: inside("tenants: [{ name: Gold }]"),
    says: ["WRONG_VALUE 6:23 data.reservation.yaml.tenants[0].name"],
  },
  {
    name: "a unit that is none",
    text: inside("tenants: [{ name: a, coldStandby: { memoryReserved: 20GiB } }]"),
    says: ["WRONG_UNIT 6:57 data.reservation.yaml.tenants[0].coldStandby.memoryReserved"],
  },
  { name: "another key beside it", text: `${inside("tenants: []")}  other.yaml: x\n`, says: ['UNKNOWN_FIELD 7:3 data["other.yaml"]'] },
  {
    name: "a text that is none",
    text: `${HEAD}data:\n  reservation.yaml: { tenants: [] }\n`,
    says: ['WRONG_TYPE 5:21 data["reservation.yaml"]'],
  },
  { name: "no data", text: HEAD, says: ["MISSING_FIELD 1:1 data"] },
  {
    name: "another name",
    text: inside("tenants: []").replace("standby-gpu-reservation", "other"),
    says: ["UNKNOWN_KIND 3:19 metadata.name"],
  },
  {
    name: "another namespace",
    text: inside("tenants: []").replace("kube-system", "default"),
    says: ["UNKNOWN_KIND 3:55 metadata.namespace"],
  },
  {
    name: "no namespace",
    text: inside("tenants: []").replace(", namespace: kube-system", ""),
    says: ["UNKNOWN_KIND 3:11 metadata.namespace"],
  },
  {
    name: "itself once more",
    text: `${inside("tenants: []")}---\n${inside("tenants: []")}`,
    says: ["DUPLICATE_RESOURCE 10:19 metadata.name"],
  },
];
for (const { name, text, says } of bad) {
  test(`a reservation with ${name} is refused at its place`, () => {
    assert.deepEqual(shortly(text), says);
  });
}

test("a reservation of nothing but commas inside a quoted text is refused before it is read", () => {
  const text = `${HEAD}data:\n  reservation.yaml: "tenants: [${"\\x2c".repeat(70_000)}]"\n`;
  assert.deepEqual(shortly(text), ["TOO_LARGE 5:21 data.reservation.yaml"]);
});

test("a reservation of nested brackets inside a quoted text is refused before it is read", () => {
  const text = `${HEAD}data:\n  reservation.yaml: "tenants: ${"\\x5b".repeat(300)}"\n`;
  assert.deepEqual(shortly(text), ["TOO_DEEP 5:21 data.reservation.yaml"]);
});
