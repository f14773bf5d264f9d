// What an integrator does with `@medplum/core`. Usage: node medplum.mjs <FHIR base> <access token>
import { MedplumClient } from "@medplum/core";
import { patient, result, take, values } from "./steps.mjs";

const [base, token] = process.argv.slice(2);
const client = new MedplumClient({ baseUrl: base.replace(/fhir$/, ""), fhirUrlPath: "fhir", fetch });
client.setAccessToken(token);
const fresh = { cache: "reload" };
const search = (query) => client.search("Observation", { patient: "p1", ...query }, fresh);
const refused = (asked) => asked.then(() => "not refused", ({ outcome }) => outcome.issue[0].code);

let made;

await take("@medplum/core", [
  ["update that creates", async () => (await client.updateResource(patient("p1"))).id, "p1"],
  [
    "create",
    async () => {
      made = await client.createResource(result("1", 1));
      return [typeof made.id, made.valueQuantity.value];
    },
    ["string", 1],
  ],
  [
    "read, and a reference followed",
    async () => {
      const read = await client.readResource("Observation", made.id, fresh);
      const { name } = await client.readReference(read.subject);
      return [read.valueQuantity.value, name[0].family];
    },
    [1, "Okafor"],
  ],
  [
    "update under `If-Match`",
    async () => {
      const update = () =>
        client.updateResource(
          { ...made, valueQuantity: { value: 2, unit: "mmol/L" } },
          { headers: { "If-Match": 'W/"1"' } },
        );
      return [(await update()).valueQuantity.value, await refused(update())];
    },
    [2, "conflict"],
  ],
  [
    "version read, history",
    async () => {
      const first = await client.readVersion("Observation", made.id, "1");
      const history = await client.readHistory("Observation", made.id);
      return [first.valueQuantity.value, values(history)];
    },
    [1, [2, 1]],
  ],
  [
    "conditional create: what is there is kept, and fetched under `Prefer`",
    async () => {
      const shown = { headers: { Prefer: "return=representation" } };
      const query = "identifier=urn:lab|1";
      const kept = await client.createResourceIfNoneExist(result("1", 9), query, shown);
      return [kept.id === made.id, kept.valueQuantity.value];
    },
    [true, 2],
  ],
  [
    "conditional update",
    async () => {
      const updated = await client.upsertResource(result("1", 3), { identifier: "urn:lab|1" });
      return [updated.id === made.id, updated.valueQuantity.value];
    },
    [true, 3],
  ],
  [
    "transaction",
    async () => {
      const entry = [4, 5, 6, 7].map((number) => ({
        resource: result(`${number}`, number),
        request: { method: "POST", url: "Observation" },
      }));
      const bundle = { resourceType: "Bundle", type: "transaction", entry };
      return (await client.executeBatch(bundle)).entry.map((one) => one.response.status);
    },
    Array(4).fill("201 Created"),
  ],
  [
    "search by code, date and value at once, sorted",
    async () =>
      values(
        await search({
          code: "http://loinc.org|2823-3",
          date: "ge2026-11-04",
          "value-quantity": "lt7",
          _sort: "-date",
        }),
      ),
    [6, 5, 4],
  ],
  [
    "pages along `next`",
    async () => {
      const pages = [];
      const query = { patient: "p1", _sort: "date", _count: 2 };
      for await (const page of client.searchResourcePages("Observation", query)) {
        pages.push(page.map((one) => one.valueQuantity.value));
      }
      return pages;
    },
    [[3, 4], [5, 6], [7]],
  ],
  [
    "totals, one match, `_include`",
    async () => {
      const { total } = await search({ _summary: "count" });
      const one = await client.searchOne("Observation", { patient: "p1", date: "2026-11-05" });
      const both = await search({ date: "2026-11-05", _include: "Observation:subject" });
      return [total, one.valueQuantity.value, both.entry.map((entry) => entry.search.mode)];
    },
    [5, 5, ["match", "include"]],
  ],
  [
    "`$everything`, `$validate`",
    async () => {
      const everything = await client.readPatientEverything("p1");
      const severities = async (resource) =>
        (await client.validateResource(resource)).issue.map((one) => one.severity);
      // One that is new, and one that is there already.
      const both = [await severities(result("9", 9)), await severities(result("1", 1))];
      return [everything.total, ...both];
    },
    [6, ["information"], ["warning"]],
  ],
  [
    "patch",
    async () => {
      const patch = [{ op: "replace", path: "/status", value: "amended" }];
      return (await client.patchResource("Observation", made.id, patch)).status;
    },
    "amended",
  ],
  [
    "delete, and what is gone",
    async () => {
      await client.deleteResource("Observation", made.id);
      return refused(client.readResource("Observation", made.id, fresh));
    },
    "deleted",
  ],
  [
    "refusals, each an OperationOutcome",
    async () => {
      const wrong = { ...result("9", 9), status: "finished" };
      const asks = [
        client.readResource("Observation", "nothing"),
        client.createResource(wrong),
        client.search("Observation", "patient=p1&colour=red"),
        client.get(client.fhirUrl("Observation", "a", "b", "c")),
      ];
      return Promise.all(asks.map(refused));
    },
    ["not-found", "value", "not-supported", "not-found"],
  ],
]);
