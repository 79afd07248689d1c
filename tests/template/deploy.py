"""Deploys the transformed template in ministack, a third-party emulator of AWS.

Argument: the path of the transformed template. Prints a one-line summary. Fails if the stack is not created completely, apart from what is
left out below, or if the created resources differ from the template.
"""

import json
import os
import socket
import subprocess
import sys
import time

import boto3
from botocore.exceptions import BotoCoreError, ClientError

STACK = "firstkey"
PARAMETERS = {
    "DeskOidcClientId": "firstkey-desk",
    "DeskOidcIssuer": "https://operators.contoso.example",
    "DeskOidcRole": "roles=firstkey-operator",
    "DeskOrigin": "https://desk.contoso.example",
    "MailDomain": "contoso.example",
    "OidcClientId": "firstkey",
    "OidcIssuer": "https://id.contoso.example",
    "ProductClientId": "contoso-online-suite",
    "ProductClientSecretDigests": "1ec1c26b50d5d3c58d9583181af8076655fe00756bf7285940ba3670f99fcba0",
    "ProductRedirectUris": "https://suite.contoso.example/callback",
    "PublicOrigin": "https://portal.contoso.example",
    "SigningKeys": "one-two",
    "SupportEmail": "support@contoso.example",
    "VendorName": "Contoso",
}
# The resource types that ministack does not support.
UNKNOWN = {"AWS::Events::Archive", "AWS::Events::EventBusPolicy", "AWS::IAM::RolePolicy"}
# ministack creates mail identities without their DKIM records.
UNKNOWN_OUTPUTS = {"MailRecords"}


def is_left_out(resource):
    """Returns whether ministack does not support the resource, which includes alarms over more than one metric."""
    return resource["Type"] in UNKNOWN or "Metrics" in resource["Properties"]


def reduced(template):
    """Returns the template without what ministack does not support, and the names of the resources that were left out."""
    left_out = {name for name, resource in template["Resources"].items() if is_left_out(resource)}
    resources = {name: resource for name, resource in template["Resources"].items() if name not in left_out}
    for resource in resources.values():
        needs = resource.pop("DependsOn", [])
        needs = [needs] if isinstance(needs, str) else needs
        remaining = [name for name in needs if name not in left_out]
        if remaining:
            resource["DependsOn"] = remaining
    outputs = {name: output for name, output in template["Outputs"].items() if name not in UNKNOWN_OUTPUTS}
    return template | {"Resources": resources, "Outputs": outputs}, left_out


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def deployed(client, template):
    """Creates the stack and waits until it is complete. As on AWS, the template is too long for the call itself, so it is sent by way of S3."""
    client("s3").create_bucket(Bucket=STACK)
    client("s3").put_object(Bucket=STACK, Key="template.json", Body=json.dumps(template).encode())
    formation = client("cloudformation")
    formation.create_stack(
        StackName=STACK,
        TemplateURL=f"{formation.meta.endpoint_url}/{STACK}/template.json",
        Capabilities=["CAPABILITY_NAMED_IAM"],
        Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in PARAMETERS.items()],
    )
    for _ in range(120):
        stack = formation.describe_stacks(StackName=STACK)["Stacks"][0]
        if not stack["StackStatus"].endswith("IN_PROGRESS"):
            return stack
        time.sleep(0.5)
    sys.exit("the stack was not complete after a minute")


def conditional(template):
    """Returns the resources that the parameters above do not enable: a domain, other accounts, an address for alarms."""
    return {name for name, resource in template["Resources"].items() if "Condition" in resource}


def check(client, stack, template):
    """Compares the created resources with the template. Routes are not compared, because ministack ignores the body of an API."""
    if stack["StackStatus"] != "CREATE_COMPLETE":
        sys.exit(f"{stack['StackStatus']}: {stack.get('StackStatusReason')}")
    made = client("cloudformation").describe_stack_resources(StackName=STACK)["StackResources"]
    ids = {resource["LogicalResourceId"]: resource["PhysicalResourceId"] for resource in made}
    missing = template["Resources"].keys() - conditional(template) - ids.keys()
    if missing:
        sys.exit(f"not created: {', '.join(sorted(missing))}")

    table = client("dynamodb").describe_table(TableName=ids["Table"])["Table"]
    if table["StreamSpecification"] != {"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"}:
        sys.exit(f"the table's stream is {table['StreamSpecification']}")
    functions = [name for name, resource in template["Resources"].items() if resource["Type"] == "AWS::Lambda::Function"]
    for name in functions:
        settings = client("lambda").get_function_configuration(FunctionName=ids[name])["Environment"]["Variables"]
        if settings["TABLE_NAME"] != ids["Table"]:
            sys.exit(f"{name} has the wrong table in its settings: {settings['TABLE_NAME']}")
    return len(ids), len(functions)


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        whole = json.load(file)
    template, left_out = reduced(whole)
    port = free_port()
    environment = os.environ | {"GATEWAY_PORT": str(port), "MINISTACK_HOST": "127.0.0.1"}
    server = subprocess.Popen(
        [sys.executable, "-m", "ministack"], env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )

    def client(service):
        return boto3.client(
            service,
            endpoint_url=f"http://127.0.0.1:{port}",
            region_name="us-east-1",
            aws_access_key_id="test",
            aws_secret_access_key="test",
        )

    try:
        for _ in range(120):
            try:
                client("sts").get_caller_identity()
                break
            except (BotoCoreError, ClientError):
                time.sleep(0.5)
        else:
            sys.exit("ministack did not start within a minute")
        made, functions = check(client, deployed(client, template), template)
    finally:
        server.terminate()
        server.wait()
    print(
        f"{made} of {len(whole['Resources'])} resources were created in ministack, among them {functions} functions; "
        f"{len(left_out)} were left out because it does not support them, and the others require a domain or other accounts"
    )


main()
