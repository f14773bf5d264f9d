"""What an analyst does with `smart-fetch`: exports as files, by the program's own command line.

Usage: smart_fetch_client.py <FHIR base> <private key of the backend service `ehr`, as PEM>
"""

import gzip
import json
import subprocess
import sys
import tempfile
from pathlib import Path

from jwcrypto.jwk import JWK

from steps import equal, step, take

base, pem = sys.argv[1:]
temporary = tempfile.TemporaryDirectory()
folder = Path(temporary.name)
key = {**json.loads(JWK.from_pem(pem.encode()).export()), "kid": "ehr", "alg": "ES384"}
(folder / "key.jwks").write_text(json.dumps({"keys": [{**key, "key_ops": ["sign"]}]}))
program = Path(sys.executable).with_name("smart-fetch")


def fetch(command, *arguments):
    signed = ["--smart-client-id", "ehr", "--smart-key", folder / "key.jwks"]
    whole = [program, command, "--fhir-url", base, *signed, *arguments]
    run = subprocess.run(whole, capture_output=True, text=True)
    assert run.returncode == 0, run.stdout + run.stderr
    return run.stdout


def lines(place):
    found = {}
    for file in sorted(place.glob("*.ndjson.gz")):
        for line in gzip.open(file, "rt"):
            found.setdefault(file.name.split(".")[0], []).append(json.loads(line))
    return found


def kinds(place):
    return {kind: len(found) for kind, found in lines(place).items()}


@step("sign-on by `private_key_jwt`; one resource")
def _():
    equal(json.loads(fetch("single", "Patient/p1"))["id"], "p1")


@step("bulk export of the whole system")
def _():
    fetch("bulk", folder / "all")
    equal(kinds(folder / "all"), {"Patient": 2, "Observation": 3})


@step("bulk export by type and by `_typeFilter`")
def _():
    fetch("bulk", "--type", "Patient", folder / "people")
    equal(kinds(folder / "people"), {"Patient": 2})
    older = "Observation?date=lt2026-11-03"
    fetch("bulk", "--type", "Observation", "--type-filter", older, folder / "older")
    equal([one["valueQuantity"]["value"] for one in lines(folder / "older")["Observation"]], [1, 2])


@step("bulk export of a group, and of what is younger than a moment")
def _():
    fetch("bulk", "--group", "g1", folder / "group")
    equal(kinds(folder / "group"), {"Patient": 1})
    fetch("bulk", "--since", "2999-01-01T00:00:00Z", folder / "none")
    equal(kinds(folder / "none"), {})


@step("managed export with its own order of steps; resumed, it fetches nothing twice")
def _():
    for _ in range(2):
        fetch("export", "--hydration-tasks", "none", folder / "managed")
        equal(kinds(folder / "managed"), {"Patient": 2, "Observation": 3})
    equal(len([one for one in (folder / "managed").iterdir() if one.is_dir()]), 1)


@step("hydration: who made the results and where is fetched after the export")
def _():
    fetch("export", "--type", "Patient,Observation", folder / "hydrated")
    beside = {"Practitioner": 1, "Organization": 1}
    equal(kinds(folder / "hydrated"), {"Patient": 2, "Observation": 3, **beside})


take("smart-fetch")
