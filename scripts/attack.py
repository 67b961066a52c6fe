"""What schemathesis cannot know of the admin interface: without it most of what is sent would be turned away at the door.

- It sends few Idempotency-Keys, each with many requests. The second request under a key is answered with 409 or with
  the first one's answer, whatever it says. So every request that has a proper key gets one of its own.
- It invents ETags. A change for another version than the one in force is answered with 412, whatever it says. So where
  the headers are meant to be right, If-Match names the version in force, as answers have told it.
"""

import re
import uuid

import schemathesis
from schemathesis.core.parameters import ParameterLocation
from schemathesis.generation import GenerationMode

KEY = re.compile(r"[!-~]{1,128}")
TOLD = re.compile(r"the configuration in force is (\S+),")
# Until an answer has told it.
in_force = '"0"'


def meant_to_be_right(case) -> bool:
    headers = case.meta.components.get(ParameterLocation.HEADER) if case.meta else None
    return headers is None or headers.mode == GenerationMode.POSITIVE


@schemathesis.hook
def before_call(context, case, kwargs):
    headers = case.headers or {}
    if KEY.fullmatch(headers.get("idempotency-key") or ""):
        headers["idempotency-key"] = uuid.uuid4().hex
    if "If-Match" in headers and meant_to_be_right(case):
        headers["If-Match"] = in_force


@schemathesis.hook
def after_call(context, case, response):
    global in_force
    told = (response.headers.get("etag") or [None])[0]
    if told is None and response.status_code == 412:
        found = TOLD.search(response.text)
        told = f'"{found.group(1)}"' if found else None
    in_force = told or in_force
