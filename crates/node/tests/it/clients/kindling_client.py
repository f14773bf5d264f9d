"""What an integrator does with `fhir-kindling`.

Usage: kindling_client.py <FHIR base> <access token>
"""

import sys

from fhir_kindling import FhirServer
from httpx import HTTPStatusError

from steps import equal, patient, refused, result, step, take

base, token = sys.argv[1:]
server = FhirServer(base, headers={"Authorization": f"Bearer {token}"})


def labs():
    return server.query("Observation").where("patient", "eq", "Patient/p1")


def status(act):
    return refused(HTTPStatusError, act).response.status_code


def values(found):
    return sorted(float(one.valueQuantity.value) for one in found)


@step("capability statement as a strict model")
def _():
    equal(server.capabilities.fhirVersion, "4.0.1")
    assert "Observation" in server.rest_resources, server.rest_resources


@step("create, read at once as a strict model")
def _():
    server.update([patient("p1")])
    made = server.add(result("1", 1))
    equal(float(server.get(made.reference).valueQuantity.value), 1.0)


@step("many at once, in a transaction")
def _():
    equal(len(server.add_all([result("2", 2), result("3", 3), result("4", 4)]).references), 3)
    equal(values(labs().all().resources), [1.0, 2.0, 3.0, 4.0])


@step("search by parameters that the library writes, and as it is")
def _():
    found = labs().where("value-quantity", "gt", "2").all().resources
    equal(values(found), [3.0, 4.0])
    found = server.raw_query("Observation?patient=Patient/p1&value-quantity=le2").all().resources
    equal(values(found), [1.0, 2.0])


@step("pages, one match, the first matches, how many")
def _():
    equal(len(server.raw_query("Observation?patient=Patient/p1&_count=1").all().resources), 4)
    equal(len(labs().limit(2).resources), 2)
    equal(labs().first().resources[0].resource_type, "Observation")
    equal(labs().count(), 4)


@step("search with `_include` and by `_has`")
def _():
    found = labs().include(resource="Observation", reference_param="subject").all()
    equal([one.id for one in found.included_resources[0].resources], ["p1"])
    by_code = {"reference_param": "subject", "search_param": "code"}
    people = server.query("Patient").where("_id", "eq", "p1")
    for code, expected in (("2823-3", 1), ("718-7", 0)):
        having = people.has("Observation", **by_code, operator="eq", value=code)
        equal(len(having.all().resources), expected)


@step("update and read many")
def _():
    person = server.get("Patient/p1")
    person.gender = "female"
    server.update([person])
    equal([one.gender for one in server.get_many(["Patient/p1"])], ["female"])


@step("delete, and what is gone")
def _():
    gone = f"Observation/{labs().first().resources[0].id}"
    server.delete(references=[gone])
    equal(status(lambda: server.get(gone)), 410)
    equal(labs().count(), 3)


@step("a count of all there is, over the whole server, is refused")
def _():
    equal(status(server.summary), 400)


take("fhir-kindling")
