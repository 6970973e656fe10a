// fhirclient.js, the SMART client for JavaScript, against the server at the address given.
import assert from "node:assert/strict";
import { createRequire } from "node:module";

const smart = createRequire(import.meta.url)("fhirclient");
const base = process.argv[2];
const SYSTEM = "http://client.example/fhirclient-js";
const client = new smart.FhirClient(base);

const patient = (value, family) => ({
  resourceType: "Patient",
  identifier: [{ system: SYSTEM, value }],
  name: [{ family, given: ["Tolvan"] }],
});

assert.equal(await client.getFhirVersion(), "4.0.1");
assert.equal(await client.getFhirRelease(), 4);
console.log("capabilities");

const made = await client.create(patient("a", "Tolvansson"));
assert.ok(made.id);
assert.equal((await client.fhirRequest(`Patient/${made.id}`)).name[0].family, "Tolvansson");
const updated = await client.update({ ...made, gender: "female" });
assert.equal(updated.gender, "female");
assert.notEqual(updated.meta.versionId, made.meta.versionId);
console.log("create, read, update");

for (let number = 0; number < 5; number++) await client.create(patient(`page-${number}`, "Pagesson"));
const query = `Patient?family=Pagesson&identifier=${encodeURIComponent(SYSTEM + "|")}&_count=2&_sort=identifier`;
const sizes = [];
for await (const page of client.pages(query)) sizes.push(page.entry.length);
assert.deepEqual(sizes, [2, 2, 1]);
const found = [];
for await (const one of client.resources(query)) found.push(one.identifier[0].value);
assert.deepEqual(found, [0, 1, 2, 3, 4].map((number) => `page-${number}`));
console.log("search with paging");

const once = { headers: { "if-none-exist": `identifier=${SYSTEM}|once` } };
const first = await client.create(patient("once", "Ensson"), once);
const again = await client.create(patient("once", "Ensson"), once);
assert.equal(again.id, first.id);
console.log("conditional create");

const uuid = "urn:uuid:11111111-1111-4111-8111-111111111111";
const answer = await client.fhirRequest("/", {
  method: "POST",
  headers: { "content-type": "application/fhir+json" },
  body: JSON.stringify({
    resourceType: "Bundle",
    type: "transaction",
    entry: [
      {
        fullUrl: uuid,
        resource: patient("transaction", "Transaktionsson"),
        request: { method: "POST", url: "Patient" },
      },
      {
        resource: { resourceType: "Task", status: "requested", intent: "order", for: { reference: uuid } },
        request: { method: "POST", url: "Task" },
      },
    ],
  }),
});
assert.equal(answer.type, "transaction-response");
const task = await client.fhirRequest(answer.entry[1].response.location);
const { for: subject } = await client.getReferences(task, ["for"]);
assert.ok(subject || task.for.reference.startsWith("Patient/"));
console.log("transaction");

await client.patch(`Patient/${made.id}`, [{ op: "replace", path: "/gender", value: "male" }]);
assert.equal((await client.fhirRequest(`Patient/${made.id}`)).gender, "male");
console.log("patch");

const history = await client.fhirRequest(`Patient/${made.id}/_history`);
assert.deepEqual(history.entry.map((one) => one.resource.gender), ["male", "female", undefined]);
console.log("history");

await client.delete(`Patient/${made.id}`);
await assert.rejects(client.fhirRequest(`Patient/${made.id}`), (error) => error.statusCode === 410 || error.status === 410);
console.log("delete");
