"""Transforms SAM templates as CloudFormation does, and checks their policies with parliament, without AWS.

Usage: transform.py DIRECTORY. Transforms every DIRECTORY/source/NAME.yaml to DIRECTORY/transformed/NAME.json, and writes the findings to
DIRECTORY/found/NAME.json, a list of {"by", "rule", "text"}: either why the template cannot be transformed, or what parliament reports.
"""

import functools
import gc
import json
import logging
import multiprocessing
import pathlib
import re
import sys

import parliament
import yaml
from samtranslator.parser.parser import Parser
from samtranslator.model.exceptions import InvalidDocumentException
from samtranslator.translator.translator import Translator
from samtranslator.yaml_helper import intrinsics_multi_constructor

REGION, ACCOUNT = "us-east-1", "000000000000"
PSEUDO = {
    "AWS::Region": REGION,
    "AWS::AccountId": ACCOUNT,
    "AWS::Partition": "aws",
    "AWS::URLSuffix": "amazonaws.com",
    "AWS::StackName": "firstkey",
}
# An example ARN for each resource type.
ARNS = {
    "AWS::DynamoDB::Table": f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/firstkey",
    "AWS::Events::EventBus": f"arn:aws:events:{REGION}:{ACCOUNT}:event-bus/firstkey",
    "AWS::IAM::Role": f"arn:aws:iam::{ACCOUNT}:role/firstkey",
    "AWS::KMS::Key": f"arn:aws:kms:{REGION}:{ACCOUNT}:key/00000000-0000-0000-0000-000000000000",
    "AWS::Logs::LogGroup": f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:firstkey:*",
    "AWS::SNS::Topic": f"arn:aws:sns:{REGION}:{ACCOUNT}:firstkey",
    "AWS::SQS::Queue": f"arn:aws:sqs:{REGION}:{ACCOUNT}:firstkey",
}
STREAM = ARNS["AWS::DynamoDB::Table"] + "/stream/2026-01-01"


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
    """Loads YAML as the translator does, with the parser of libyaml where there is one: it takes a third of the time."""


_Loader.add_multi_constructor("!", intrinsics_multi_constructor)


def transform(source):
    template = yaml.load(source, _Loader)
    template["Globals"]["Function"]["CodeUri"] = "s3://bucket/key"
    defaults = {name: value["Default"] for name, value in template["Parameters"].items() if "Default" in value}
    parser = Parser()
    translator = Translator({}, parser, boto_session=_Session())
    return translator.translate(template, parameter_values={**PSEUDO, **defaults})


class _Session:
    """A fake boto session, from which the translator reads the region to determine the partition."""

    region_name = REGION


def policies(template):
    for name, resource in template["Resources"].items():
        properties = resource.get("Properties", {})
        for policy in properties.get("Policies", []) if resource["Type"] == "AWS::IAM::Role" else []:
            yield f"{name}/{policy['PolicyName']}", policy["PolicyDocument"]
        if resource["Type"] == "AWS::IAM::RolePolicy":
            yield name, properties["PolicyDocument"]


def resolved(value, template):
    """Resolves intrinsic functions only as far as parliament needs it: ARNs of the right service, and text elsewhere."""
    if isinstance(value, list):
        return [resolved(one, template) for one in value]
    if not isinstance(value, dict):
        return value
    if set(value) == {"Ref"}:
        return named(value["Ref"], template)
    if set(value) == {"Fn::GetAtt"}:
        path = value["Fn::GetAtt"]
        return named(path if isinstance(path, str) else ".".join(path), template)
    if set(value) == {"Fn::If"}:
        # The case that the defaults of the parameters enable, which the template names first or leaves out.
        return resolved(value["Fn::If"][1], template)
    if set(value) == {"Fn::Sub"}:
        text = value["Fn::Sub"] if isinstance(value["Fn::Sub"], str) else value["Fn::Sub"][0]
        return re.sub(r"\$\{([^!}]+)\}", lambda found: named(found[1], template), text)
    return {key: resolved(one, template) for key, one in value.items()}


def named(name, template):
    resource, _, attribute = name.partition(".")
    if attribute == "StreamArn":
        return STREAM
    kind = template["Resources"].get(resource, {}).get("Type")
    return PSEUDO.get(name) or (ARNS.get(kind) if attribute == "Arn" or kind == "AWS::SNS::Topic" else None) or "name"


# Lambda adds this key to the calls of a function's code to any service, but parliament knows only the keys that a service lists itself:
# https://docs.aws.amazon.com/lambda/latest/dg/permissions-source-function-arn.html
EVERYWHERE = "Unknown condition lambda:SourceFunctionArn for action "


@functools.lru_cache(maxsize=None)
def findings(policy):
    """Returns what parliament finds in a policy. Nearly every policy is the same in every copy of the template."""
    found = parliament.analyze_policy_string(policy).findings
    return [finding for finding in found if not str(finding.detail).startswith(EVERYWHERE)]


def examine(template):
    for place, document in policies(template):
        for finding in findings(json.dumps(resolved(document, template))):
            yield {"by": "parliament", "rule": finding.issue, "text": f"{place}: {finding.title or ''} {finding.detail or ''}"}


def check(source):
    directory = source.parent.parent
    try:
        template = transform(source.read_text())
    except InvalidDocumentException as invalid:
        found = [{"by": "sam", "rule": "sam", "text": cause.message} for cause in invalid.causes]
    else:
        (directory / "transformed" / f"{source.stem}.json").write_text(json.dumps(template, indent=1))
        found = list(examine(template))
    (directory / "found" / f"{source.stem}.json").write_text(json.dumps(found))


# The translator warns that its metrics are not collected.
logging.disable(logging.WARNING)
# There are no cycles to find, and looking for them in the many objects of a template takes a third of the time.
gc.disable()
# One process for each processor: there are more than a hundred and fifty copies.
with multiprocessing.get_context("fork").Pool() as pool:
    pool.map(check, sorted((pathlib.Path(sys.argv[1]) / "source").glob("*.yaml")), chunksize=1)
