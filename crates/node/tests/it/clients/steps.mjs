// Takes a client through its steps, in order; prints a row of docs/clients.md for each.
import { deepEqual } from "node:assert/strict";

// A step is what it is called, what it does, and what must come of that.
export async function take(client, steps) {
  let failed = 0;
  for (const [name, act, expected] of steps) {
    let result = "ok";
    try {
      deepEqual(plain(await act()), expected);
    } catch (error) {
      failed += 1;
      result = `FAILED: ${error.stack ?? JSON.stringify(error)}`;
    }
    console.log(`| ${client} | ${name} | ${result} |`);
  }
  process.exitCode = failed ? 1 : 0;
}

// Clients hang things of their own on what they give: only the data counts.
const plain = (value) => (value === undefined ? undefined : JSON.parse(JSON.stringify(value)));

// What both clients send.
export const patient = (id) => ({
  resourceType: "Patient",
  id,
  identifier: [{ system: "urn:mrn", value: id }],
  name: [{ family: "Okafor" }],
});

export const result = (value, number) => ({
  resourceType: "Observation",
  identifier: [{ system: "urn:lab", value }],
  status: "final",
  category: [
    {
      coding: [
        { system: "http://terminology.hl7.org/CodeSystem/observation-category", code: "laboratory" },
      ],
    },
  ],
  code: { coding: [{ system: "http://loinc.org", code: "2823-3" }], text: "potassium" },
  subject: { reference: "Patient/p1" },
  effectiveDateTime: `2026-11-0${number}`,
  valueQuantity: { value: number, unit: "mmol/L" },
});

export const values = (bundle) =>
  (bundle.entry ?? []).map((entry) => entry.resource.valueQuantity.value);
