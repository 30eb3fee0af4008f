"""Gives IAM documents to moto and tells what moto says of them.

Standard input: {"accept": [{"kind", "document"}], "ask": [question]} with question
{"action", "resource", "context", "principal", "account", "identity": [statement], "attached": [statement], "key": bool}.
Standard output: {"refused": [text or null], "allowed": [bool]}, in the same order.
"""

import json
import sys

import boto3
from botocore.exceptions import ClientError
from moto import mock_aws
from moto.iam.access_control import IAMPolicyStatement, PermissionResult

REGION = "eu-central-1"
KEYS = {"aws_access_key_id": "test", "aws_secret_access_key": "test", "region_name": REGION}


def accept(kind, document, number):
    """Stores the document where one of its kind belongs; raises what AWS's emulation says against it."""
    name = f"judged-{number}"
    if kind == "identity":
        boto3.client("iam", **KEYS).create_policy(PolicyName=name, PolicyDocument=document)
    elif kind == "trust":
        boto3.client("iam", **KEYS).create_role(RoleName=name, AssumeRolePolicyDocument=document)
    elif kind == "key":
        boto3.client("kms", **KEYS).create_key(Policy=document)
    elif kind == "bucket":
        s3 = boto3.client("s3", **KEYS)
        s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": REGION})
        s3.put_bucket_policy(Bucket=name, Policy=document)
    elif kind == "secret":
        secrets = boto3.client("secretsmanager", **KEYS)
        secrets.create_secret(Name=name)
        secrets.put_resource_policy(SecretId=name, ResourcePolicy=document)
    else:
        raise ValueError(f"no documents of kind {kind}")


def refusal(kind, document, number):
    try:
        json.loads(document)
        accept(kind, document, number)
        return None
    except (ClientError, ValueError) as error:
        return str(error)


def applies(statement, question, principal):
    """Whether the statement is about the request. Its effect is left out: moto says "denied" of an Allow that is not met."""
    judged = IAMPolicyStatement({**statement, "Effect": "Allow"})
    verdict = judged.is_action_permitted(question["action"], question["resource"], principal, question["context"])
    return verdict == PermissionResult.PERMITTED


def allowed(question):
    """An explicit deny wins. A key's own policy has to agree; for everything else one of the two policies is enough."""
    identity, attached = question["identity"], question["attached"]

    def effects(statements, principal):
        return {statement["Effect"] for statement in statements if applies(statement, question, principal)}

    own = effects(identity, None)
    given = effects(attached, question["principal"])
    if "Deny" in own | given:
        return False
    if question["key"]:
        return "Allow" in given or ("Allow" in own and "Allow" in effects(attached, question["account"]))
    return "Allow" in own | given


def main():
    order = json.load(sys.stdin)
    with mock_aws():
        refused = [refusal(one["kind"], one["document"], number) for number, one in enumerate(order["accept"])]
    json.dump({"refused": refused, "allowed": [allowed(question) for question in order["ask"]]}, sys.stdout)


main()
