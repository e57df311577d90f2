import assert from "node:assert/strict";
import { test } from "node:test";
import { mergeReservation } from "../api/merge-reservation.ts";
import { parseHotStandbyConfig } from "../api/parse-hot-standby-config.ts";
import { RESERVATION_NAME } from "../api/reservation.ts";
import type { JsonObject } from "../base/json.ts";
import { reservationFacts } from "./reservation-facts.ts";

function conditionOf(entry: JsonObject): readonly string[] {
  const bare = { labels: {}, annotations: {} };
  const { drafts } = mergeReservation([
    { ...bare, kind: "HotStandbyConfig", name: "gold", spec: { tenant: "gold", tier: "gold", hotStandby: { gpuCount: 1 } } },
    { ...bare, kind: "ReservationMap", name: RESERVATION_NAME, spec: { tenants: [entry] } },
  ]);
  const [first] = drafts;
  const config = first === undefined ? null : parseHotStandbyConfig(first);
  assert.ok(config?.ok);
  return reservationFacts(config.value).map(({ status, reason, message }) => `${status} ${reason}: ${message}`);
}

const cases: readonly { readonly name: string; readonly entry: JsonObject; readonly says: readonly string[] }[] = [
  { name: "that says the same shows no condition", entry: { name: "gold", hotStandby: { gpuCount: 1 } }, says: [] },
  {
    name: "that fills a level shows that nothing conflicts",
    entry: { name: "gold", coldStandby: { memoryReserved: "30GB" } },
    says: ["False Filled: The reservation gives coldStandby, which the config does not write."],
  },
  {
    name: "that says something else shows what, and that the config wins",
    entry: { name: "gold", hotStandby: { gpuCount: 2, memoryReserved: "80GB" } },
    says: [
      "True ConfigWins: The config wins over standby-gpu-reservation: hotStandby.gpuCount is 1, and 2 in the reservation; hotStandby.memoryReserved is 20GB, and 80GB in the reservation.",
    ],
  },
];
for (const { name, entry, says } of cases) {
  test(`a reservation ${name}`, () => {
    assert.deepEqual(conditionOf(entry), says);
  });
}
