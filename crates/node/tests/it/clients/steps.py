"""Takes a client through its steps, in order; prints a row of docs/clients.md for each."""

import sys
import traceback

steps = []


def step(name):
    """Decorates a step: it raises if something comes of it that should not."""
    return lambda act: steps.append((name, act)) or act


def take(client):
    failed = 0
    for name, act in steps:
        result = "ok"
        try:
            act()
        except Exception:
            failed += 1
            result = f"FAILED: {traceback.format_exc()}"
        print(f"| {client} | {name} | {result} |", flush=True)
    sys.exit(failed > 0)


def equal(found, expected):
    assert found == expected, f"{found!r} instead of {expected!r}"


def refused(error, act):
    """The error with which something is refused."""
    try:
        result = act()
    except error as refusal:
        return refusal
    raise AssertionError(f"not refused: {result!r}")


def patient(id):
    return {
        "resourceType": "Patient",
        "id": id,
        "identifier": [{"system": "urn:mrn", "value": id}],
        "name": [{"family": "Okafor"}],
        "birthDate": "1985-02-28",
    }


def result(value, number):
    return {
        "resourceType": "Observation",
        "identifier": [{"system": "urn:lab", "value": value}],
        "status": "final",
        "category": [
            {
                "coding": [
                    {
                        "system": "http://terminology.hl7.org/CodeSystem/observation-category",
                        "code": "laboratory",
                    }
                ]
            }
        ],
        "code": {"coding": [{"system": "http://loinc.org", "code": "2823-3"}]},
        "subject": {"reference": "Patient/p1"},
        "effectiveDateTime": f"2026-11-0{number}",
        "valueQuantity": {"value": number, "unit": "mmol/L"},
    }


def transaction(resources):
    entry = [
        {"resource": one, "request": {"method": "POST", "url": one["resourceType"]}}
        for one in resources
    ]
    return {"resourceType": "Bundle", "type": "transaction", "entry": entry}
