"""What an integrator does with `fhirpy`. Usage: fhirpy_client.py <FHIR base> <access token>"""

import asyncio
import json
import sys

from fhirpy import AsyncFHIRClient, SyncFHIRClient
from fhirpy.base.exceptions import (
    AuthorizationError,
    MultipleResourcesFound,
    OperationOutcome,
    ResourceNotFound,
)

from steps import equal, patient, refused, result, step, take, transaction

base, token = sys.argv[1:]
as_bearer = {"authorization": f"Bearer {token}"}
client = SyncFHIRClient(base, **as_bearer)
labs = client.resources("Observation").search(patient="p1")
made = client.resource("Observation", **result("1", 1))


def with_headers(**headers):
    return SyncFHIRClient(base, **as_bearer, extra_headers=headers)


def code(error):
    return json.loads(str(error))["issue"][0]["code"]


def values(found):
    return [one["valueQuantity"]["value"] for one in found]


@step("capability statement")
def _():
    equal(client.execute("metadata", method="get")["fhirVersion"], "4.0.1")


@step("update that creates, create, read at once")
def _():
    client.resource("Patient", **patient("p1")).save()
    made.create()
    equal(client.reference("Observation", made.id).to_resource().valueQuantity.value, 1)


@step("update, version read, history")
def _():
    made["valueQuantity"]["value"] = 2
    made.update()
    path = f"Observation/{made.id}/_history"
    equal(client.execute(f"{path}/1", method="get").valueQuantity.value, 1)
    equal(client.execute(path, method="get").total, 2)


@step("update under `If-Match`: refused for an older version")
def _():
    strict = with_headers(**{"If-Match": 'W/"1"'})
    stale = strict.resource("Observation", **made.serialize())
    equal(code(refused(MultipleResourcesFound, stale.save)), "conflict")


@step("get or create: the search in the address, what is there fetched under `Prefer`")
def _():
    asking = with_headers(Prefer="return=representation")
    by_identifier = asking.resources("Observation").search(identifier="urn:lab|1")
    kept, is_new = by_identifier.get_or_create(asking.resource("Observation", **result("1", 9)))
    equal((kept.id, kept.valueQuantity.value, is_new), (made.id, 2, False))


@step("conditional update")
def _():
    by_identifier = client.resources("Observation").search(identifier="urn:lab|1")
    updated, is_new = by_identifier.update(client.resource("Observation", **result("1", 3)))
    equal((updated.id, updated.valueQuantity.value, is_new), (made.id, 3, False))


@step("transaction")
def _():
    bundle = transaction([result(str(number), number) for number in (4, 5, 6, 7)])
    done = client.execute("", data=bundle)
    equal([one.response.status for one in done.entry], ["201 Created"] * 4)


@step("search by code, date and value at once, sorted")
def _():
    found = labs.search(code="http://loinc.org|2823-3", date__ge="2026-11-04")
    found = found.search(value_quantity__lt=7).sort("-date")
    equal(values(found.fetch()), [6, 5, 4])


@step("search by a chain, and with `_include`")
def _():
    equal(len(labs.search(subject__Patient__name="Okafor").fetch()), 5)
    equal(len(labs.search(subject__Patient__name="Nobody").fetch()), 0)
    bundle = labs.search(date="2026-11-05").include("Observation", "subject").fetch_raw()
    equal([one.search.mode for one in bundle.entry], ["match", "include"])


@step("pages along `next`, one match, the first")
def _():
    equal(values(labs.sort("date").limit(2).fetch_all()), [3, 4, 5, 6, 7])
    equal(labs.search(date="2026-11-05").get().valueQuantity.value, 5)
    equal(labs.sort("-date").first().valueQuantity.value, 7)


@step("total by `_summary=count`; its `count()` is refused, since it adds `_totalMethod`")
def _():
    equal(labs.search(_summary="count").fetch_raw().total, 5)
    equal(refused(OperationOutcome, labs.count).resource["issue"][0]["code"], "not-supported")


@step("`$everything`, `$validate`")
def _():
    everything = client.reference("Patient", "p1").execute("$everything", method="get")
    equal(everything.total, 6)
    assert client.resource("Observation", **result("9", 9)).is_valid()
    assert not client.resource("Observation", status="finished").is_valid()


@step("patch: the elements that change, as plain JSON")
def _():
    made.patch(status="amended")
    now = client.reference("Observation", made.id).to_resource()
    equal((now.status, now.valueQuantity.value), ("amended", 3))


@step("the asynchronous client: many reads at once, all pages")
def _():
    async def at_once():
        client = AsyncFHIRClient(base, **as_bearer)
        labs = client.resources("Observation").search(patient="p1")
        reads = [client.reference("Observation", made.id).to_resource() for _ in range(20)]
        read = await asyncio.gather(*reads)
        pages = [one async for one in labs.sort("date").limit(2)]
        return {one.id for one in read}, values(pages)

    equal(asyncio.run(at_once()), ({made.id}, [3, 4, 5, 6, 7]))


@step("delete, and what is gone")
def _():
    made.delete()
    gone = client.reference("Observation", made.id)
    equal(code(refused(ResourceNotFound, gone.to_resource)), "deleted")


@step("refusals, each an OperationOutcome")
def _():
    wrong = client.resource("Observation", **{**result("9", 9), "status": "finished"})
    refusal = refused(OperationOutcome, wrong.save).resource
    equal(refusal["issue"][0]["expression"], ["Observation.status"])
    refusal = refused(OperationOutcome, labs.search(colour="red").fetch).resource
    equal(refusal["issue"][0]["code"], "not-supported")
    stranger = SyncFHIRClient(base, authorization="Bearer stolen")
    equal(code(refused(AuthorizationError, stranger.reference("Patient", "p1").to_resource)), "login")
    nowhere = refused(ResourceNotFound, lambda: client.execute("Patient/p1/a/b/c", method="get"))
    equal(code(nowhere), "not-found")


take("fhirpy")
