// What an integrator does with `fhir-kit-client`. Usage: node fhir_kit.mjs <FHIR base> <access token>
import { Client } from "fhir-kit-client";
import { patient, result, take, values } from "./steps.mjs";

const [baseUrl, bearerToken] = process.argv.slice(2);
const client = new Client({ baseUrl, bearerToken });
const resourceType = "Observation";
const headers = (headers) => ({ options: { headers } });
const search = (searchParams) => client.search({ resourceType, searchParams });
// An error as its client shows it: the status, and the first words of the OperationOutcome.
const refused = (asked) =>
  asked.then(
    () => "not refused",
    ({ response }) => [response.status, response.data.resourceType, response.data.issue[0].code],
  );

let id;
let bundle;

await take("fhir-kit-client", [
  [
    "capability statement, and SMART's endpoints in it",
    async () => {
      const { fhirVersion } = await client.capabilityStatement();
      const { tokenUrl } = await client.smartAuthMetadata();
      return [fhirVersion, tokenUrl.href];
    },
    ["4.0.1", baseUrl.replace(/fhir$/, "smart/token")],
  ],
  [
    "update that creates",
    async () => {
      const made = await client.update({ resourceType: "Patient", id: "p1", body: patient("p1") });
      return Client.httpFor(made).response.status;
    },
    201,
  ],
  [
    "create: `201`, `Location`, `ETag`",
    async () => {
      const made = await client.create({ resourceType, body: result("1", 1) });
      const { response } = Client.httpFor(made);
      ({ id } = made);
      const location = response.headers.get("location");
      return [response.status, location === `${baseUrl}/Observation/${id}/_history/1`,
        response.headers.get("etag")];
    },
    [201, true, 'W/"1"'],
  ],
  [
    "read",
    async () => (await client.read({ resourceType, id })).valueQuantity.value,
    1,
  ],
  [
    "read under `If-None-Match`: `304`",
    async () => {
      const asked = client.read({ resourceType, id, ...headers({ "If-None-Match": 'W/"1"' }) });
      return asked.catch(({ response }) => response.status);
    },
    304,
  ],
  [
    "update under `If-Match`: `200` for the latest version, `412` for another",
    async () => {
      const body = { ...result("1", 2), id };
      const update = () =>
        client.update({ resourceType, id, body, ...headers({ "If-Match": 'W/"1"' }) });
      const updated = Client.httpFor(await update()).response;
      return [updated.status, updated.headers.get("etag"), await refused(update())];
    },
    [200, 'W/"2"', [412, "OperationOutcome", "conflict"]],
  ],
  [
    "version read",
    async () => (await client.vread({ resourceType, id, version: "1" })).valueQuantity.value,
    1,
  ],
  [
    "conditional create: what is there is kept",
    async () => {
      const unless = headers({ "If-None-Exist": "identifier=urn:lab|1" });
      const kept = await client.create({ resourceType, body: result("1", 9), ...unless });
      const { response } = Client.httpFor(kept);
      return [response.status, response.headers.get("location").includes(id)];
    },
    [200, true],
  ],
  [
    "conditional update",
    async () => {
      const searchParams = { identifier: "urn:lab|1" };
      const updated = await client.update({ resourceType, searchParams, body: result("1", 3) });
      return [updated.id === id, updated.valueQuantity.value];
    },
    [true, 3],
  ],
  [
    "history of a resource, of a type, of all of a patient",
    async () => {
      const of = async (what) => (await client.history(what)).total;
      const type = client.request("Observation/_history?patient=p1");
      const system = client.request("_history?patient=p1");
      return [await of({ resourceType, id }), (await type).total, (await system).total];
    },
    [3, 3, 4],
  ],
  [
    "transaction with references between its entries",
    async () => {
      const subject = { reference: "urn:uuid:8d2c4b1e-6f0a-4c2e-9a55-0f6f2c6d7e01" };
      const entry = (resource, fullUrl) => ({
        fullUrl,
        resource,
        request: { method: "POST", url: resource.resourceType },
      });
      const { id: _, ...other } = patient("p2");
      const rows = [4, 5, 6, 7].map((number) => entry(result(`${number}`, number)));
      const body = {
        resourceType: "Bundle",
        type: "transaction",
        entry: [
          entry(other, subject.reference),
          entry({ ...result("8", 8), subject }, undefined),
          ...rows,
        ],
      };
      const done = await client.transaction({ body });
      return [done.type, done.entry.map((one) => one.response.status)];
    },
    ["transaction-response", Array(6).fill("201 Created")],
  ],
  [
    "search by code, date, value and category at once, sorted",
    async () =>
      values(
        await search({
          patient: "p1",
          code: "http://loinc.org|2823-3",
          date: ["ge2026-11-04", "le2026-11-06"],
          "value-quantity": "gt4",
          category: "laboratory",
          _sort: "-date",
        }),
      ),
    [6, 5],
  ],
  [
    "search by `POST`, and with `_include`",
    async () => {
      const searchParams = { patient: "p1", date: "2026-11-05", _include: "Observation:subject" };
      const found = await client.search({ resourceType, searchParams, options: { postSearch: true } });
      return found.entry.map(({ search, resource }) => [search.mode, resource.resourceType]);
    },
    [["match", "Observation"], ["include", "Patient"]],
  ],
  [
    "pages along `next` and back along `previous`",
    async () => {
      const pages = [];
      bundle = await search({ patient: "p1", _sort: "date", _count: 2 });
      for (let page = bundle; page; page = await client.nextPage({ bundle: page })) {
        pages.push(values(page));
        bundle = page;
      }
      return [pages, values(await client.prevPage({ bundle }))];
    },
    [[[3, 4], [5, 6], [7]], [5, 6]],
  ],
  [
    "a patient's compartment",
    async () => {
      const compartment = { resourceType: "Patient", id: "p1" };
      return (await client.search({ resourceType, compartment })).total;
    },
    5,
  ],
  [
    "a reference, resolved",
    async () => {
      const context = await client.read({ resourceType, id });
      return (await client.resolve({ reference: "Patient/p1", context })).name[0].family;
    },
    "Okafor",
  ],
  [
    "`$everything`, `$validate`, `$meta`",
    async () => {
      const everything = client.operation({
        name: "everything", resourceType: "Patient", id: "p1", method: "GET",
      });
      const validate = client.operation({
        name: "validate", resourceType, input: { resourceType, status: "finished" },
      });
      const meta = client.operation({ name: "meta", resourceType, id, method: "GET" });
      const { parameter } = await meta;
      return [(await everything).total, (await validate).issue[0].severity,
        parameter[0].valueMeta.versionId];
    },
    [6, "error", "3"],
  ],
  [
    "patch",
    async () => {
      const jsonPatch = [{ op: "replace", path: "/status", value: "amended" }];
      return (await client.patch({ resourceType, id, jsonPatch })).status;
    },
    "amended",
  ],
  [
    "batch that reads and fails in part",
    async () => {
      const asks = ["Patient/p1", "Observation?patient=p1&_summary=count", "Patient/nobody"];
      const entry = asks.map((url) => ({ request: { method: "GET", url } }));
      const body = { resourceType: "Bundle", type: "batch", entry };
      return (await client.batch({ body })).entry.map((one) => one.response.status);
    },
    ["200 OK", "200 OK", "404 Not Found"],
  ],
  [
    "delete, and what is gone: `204`, `410`",
    async () => {
      const gone = await client.delete({ resourceType, id });
      const { response } = Client.httpFor(gone);
      return [response.status, await refused(client.read({ resourceType, id }))];
    },
    [204, [410, "OperationOutcome", "deleted"]],
  ],
  [
    "refusals, each an OperationOutcome",
    async () => {
      const wrong = { ...result("9", 9), status: "finished" };
      const asks = [
        client.read({ resourceType, id: "nothing" }),
        client.vread({ resourceType, id, version: "x" }),
        client.create({ resourceType, body: wrong }),
        client.search({ resourceType, searchParams: { patient: "p1", colour: "red" } }),
        client.request("Observation/a/b/c/d"),
        client.request("metadata", { method: "DELETE" }),
        new Client({ baseUrl, bearerToken: "stolen" }).read({ resourceType, id }),
      ];
      return Promise.all(asks.map(refused));
    },
    [
      [404, "OperationOutcome", "not-found"],
      [400, "OperationOutcome", "invalid"],
      [422, "OperationOutcome", "value"],
      [400, "OperationOutcome", "not-supported"],
      [404, "OperationOutcome", "not-found"],
      [405, "OperationOutcome", "not-supported"],
      [401, "OperationOutcome", "login"],
    ],
  ],
]);
