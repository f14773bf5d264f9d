"""What an integrator does with `fhirclient`: typed models, strictly read.

Usage: fhirclient_client.py <FHIR base> <assertion of a backend service>
"""

import sys

from fhirclient import client as smart
from fhirclient.models.bundle import Bundle
from fhirclient.models.observation import Observation
from fhirclient.models.operationoutcome import OperationOutcome
from fhirclient.models.patient import Patient
from fhirclient.server import FHIRNotFoundException
from requests import HTTPError

from steps import equal, patient, refused, result, step, take, transaction

base, assertion = sys.argv[1:]
settings = {
    "app_id": "ehr",
    "api_base": base,
    "scope": "system/*.cruds",
    "jwt_token": assertion,
}
client = smart.FHIRClient(settings=settings)
server = client.server
made = Observation(result("1", 1))


def labs(**more):
    return Observation.where({"patient": "p1", **more})


def values(found):
    return [one.valueQuantity.value for one in found]


def outcome(refusal):
    return OperationOutcome(refusal.response.json()).issue[0].code


@step("capability statement, strictly read; its token endpoint takes the assertion")
def _():
    client.prepare()
    equal(server.capabilityStatement.fhirVersion, "4.0.1")
    client.authorize()
    assert client.ready


@step("update that creates, create, read at once")
def _():
    Patient(patient("p1")).update(server)
    made.id = made.create(server)["id"]
    read = Observation.read(made.id, server)
    equal((read.valueQuantity.value, read.subject.reference), (1, "Patient/p1"))


@step("a reference, resolved to its model")
def _():
    read = Observation.read(made.id, server)
    equal(read.subject.resolved(Patient).name[0].family, "Okafor")


@step("update, version read, history as a strict Bundle")
def _():
    made.valueQuantity.value = 2
    made.update(server)
    equal(Observation.read_from(f"Observation/{made.id}/_history/1", server).valueQuantity.value, 1)
    history = Bundle.read_from(f"Observation/{made.id}/_history", server)
    equal([one.request.method for one in history.entry], ["PUT", "POST"])


@step("transaction, its answer as a strict Bundle")
def _():
    bundle = transaction([result(str(number), number) for number in (4, 5, 6, 7)])
    done = Bundle(server.post_json("", Bundle(bundle).as_json()).json())
    equal([one.response.status for one in done.entry], ["201 Created"] * 4)


@step("search by code, dates and value at once, sorted")
def _():
    found = labs(
        **{
            "code": "http://loinc.org|2823-3",
            "date": "ge2026-11-04",
            "value-quantity": "lt7",
            "_sort": "-date",
        }
    )
    equal(values(found.perform_resources_iter(server)), [6, 5, 4])


@step("pages along `next`, strictly read")
def _():
    pages = labs(_sort="date", _count="2").perform_iter(server)
    found = [values(entry.resource for entry in page.entry) for page in pages]
    equal(found, [[2, 4], [5, 6], [7]])


@step("`_include`")
def _():
    found = labs(date="2026-11-05").include("subject").perform_resources_iter(server)
    equal([one.resource_type for one in found], ["Observation", "Patient"])


@step("`$everything`, `$validate` as an OperationOutcome")
def _():
    equal(Bundle.read_from("Patient/p1/$everything", server).total, 6)
    answer = server.post_json("Observation/$validate", made.as_json()).json()
    equal(OperationOutcome(answer).issue[0].severity, "information")


@step("delete, and what is gone")
def _():
    made.delete(server)
    gone = refused(HTTPError, lambda: Observation.read(made.id, server))
    equal((gone.response.status_code, outcome(gone)), (410, "deleted"))


@step("refusals, each a strict OperationOutcome")
def _():
    nothing = refused(FHIRNotFoundException, lambda: Observation.read("nothing", server))
    equal(outcome(nothing), "not-found")
    wrong = Observation({**result("9", 9), "status": "finished"})
    refusal = refused(HTTPError, lambda: wrong.create(server))
    equal((refusal.response.status_code, outcome(refusal)), (422, "value"))
    search = labs(colour="red")
    refusal = refused(HTTPError, lambda: list(search.perform_resources_iter(server)))
    equal((refusal.response.status_code, outcome(refusal)), (400, "not-supported"))


take("fhirclient")
