// fhir-kit-client, for JavaScript, against the server at the address given.
import assert from "node:assert/strict";
import { Client } from "fhir-kit-client";

const SYSTEM = "http://client.example/fhir-kit-client";
const client = new Client({ baseUrl: process.argv[2] });
const resourceType = "Patient";

const patient = (value, family) => ({
  resourceType,
  identifier: [{ system: SYSTEM, value }],
  name: [{ family, given: ["Tolvan"] }],
});

const statement = await client.capabilityStatement();
assert.equal(statement.fhirVersion, "4.0.1");
console.log("capabilities");

const made = await client.create({ resourceType, body: patient("a", "Tolvansson") });
assert.equal(Client.httpFor(made).response.status, 201);
const { id } = made;
assert.equal((await client.read({ resourceType, id })).name[0].family, "Tolvansson");
const updated = await client.update({ resourceType, id, body: { ...made, gender: "female" } });
assert.equal(updated.gender, "female");
const before = await client.vread({ resourceType, id, version: made.meta.versionId });
assert.equal(before.gender, undefined);
console.log("create, read, update, vread");

for (let number = 0; number < 5; number++) {
  await client.create({ resourceType, body: patient(`page-${number}`, "Pagesson") });
}
const searchParams = { family: "Pagesson", identifier: `${SYSTEM}|`, _count: 2, _sort: "identifier" };
const pages = [await client.search({ resourceType, searchParams })];
for (let next; (next = await client.nextPage({ bundle: pages.at(-1) })); ) pages.push(next);
const found = pages.flatMap((page) => page.entry.map((one) => one.resource.identifier[0].value));
assert.deepEqual(found, [0, 1, 2, 3, 4].map((number) => `page-${number}`));
const back = await client.prevPage({ bundle: pages[1] });
assert.deepEqual(back.entry.map((one) => one.resource.id), pages[0].entry.map((one) => one.resource.id));
const posted = await client.resourceSearch({ resourceType, searchParams, options: { postSearch: true } });
assert.equal(posted.entry.length, 2);
console.log("search with paging, forwards and backwards");

const once = { headers: { "If-None-Exist": `identifier=${SYSTEM}|once` } };
const first = await client.create({ resourceType, body: patient("once", "Ensson"), options: once });
const again = await client.create({ resourceType, body: patient("once", "Ensson"), options: once });
assert.equal(Client.httpFor(again).response.status, 200);
assert.equal(again.id ?? first.id, first.id);
const changed = await client.update({
  resourceType,
  searchParams: { identifier: `${SYSTEM}|once` },
  body: patient("once", "Ensdotter"),
});
assert.equal(changed.id, first.id);
console.log("conditional create and update");

const uuid = "urn:uuid:11111111-1111-4111-8111-111111111111";
const answer = await client.transaction({
  body: {
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
  },
});
assert.deepEqual(answer.entry.map((one) => one.response.status.slice(0, 3)), ["201", "201"]);
const batched = await client.batch({
  body: {
    resourceType: "Bundle",
    type: "batch",
    entry: [
      { request: { method: "GET", url: `Patient/${id}` } },
      { request: { method: "GET", url: "Patient/nobody" } },
    ],
  },
});
assert.deepEqual(batched.entry.map((one) => one.response.status.slice(0, 3)), ["200", "404"]);
console.log("transaction, batch");

await client.patch({ resourceType, id, jsonPatch: [{ op: "replace", path: "/gender", value: "male" }] });
assert.equal((await client.read({ resourceType, id })).gender, "male");
console.log("patch");

const history = await client.resourceHistory({ resourceType, id });
assert.deepEqual(history.entry.map((one) => one.resource.gender), ["male", "female", undefined]);
assert.equal((await client.typeHistory({ resourceType })).type, "history");
assert.equal((await client.systemHistory()).type, "history");
console.log("history of a resource, a type, all");

await client.delete({ resourceType, id });
await assert.rejects(client.read({ resourceType, id }), (error) => error.response.status === 410);
console.log("delete");
