"""The common jobs of a Vault client, done by hvac: python hvac-jobs.py <job>, with the server in VAULT_ADDR, VAULT_CACERT
and VAULT_TOKEN. A job that ends differently from what it should raises."""

import json
import os
import sys

import hvac
from hvac import exceptions


def open_client(token=None):
    return hvac.Client(
        url=os.environ["VAULT_ADDR"],
        verify=os.environ["VAULT_CACERT"],
        token=token or os.environ["VAULT_TOKEN"],
    )


def refused(error, call, *args, **kwargs):
    try:
        call(*args, **kwargs)
    except error:
        return
    raise AssertionError(f"{call.__name__} was not refused with {error.__name__}")


def server(client):
    assert client.is_authenticated()
    assert client.sys.is_initialized()
    assert not client.sys.is_sealed()
    assert "sys/" in client.sys.list_mounted_secrets_engines()["data"]
    assert "token/" in client.sys.list_auth_methods()["data"]
    assert not open_client("hvs.nobody").is_authenticated()


def kv(client):
    client.sys.enable_secrets_engine("kv", path="hvac-kv", options={"version": "2"})
    store = client.secrets.kv.v2
    where = {"path": "app/one", "mount_point": "hvac-kv"}
    store.create_or_update_secret(secret={"text": "first"}, cas=0, **where)
    refused(exceptions.InvalidRequest, store.create_or_update_secret, secret={"text": "late"}, cas=0, **where)
    store.patch(secret={"more": "1"}, **where)
    read = store.read_secret_version(raise_on_deleted_version=True, **where)["data"]
    assert read["data"] == {"text": "first", "more": "1"}
    assert read["metadata"]["version"] == 2
    assert store.read_secret_version(version=1, raise_on_deleted_version=True, **where)["data"]["data"] == {"text": "first"}
    assert store.list_secrets(path="app", mount_point="hvac-kv")["data"]["keys"] == ["one"]
    store.delete_latest_version_of_secret(**where)
    refused(exceptions.InvalidPath, store.read_secret_version, raise_on_deleted_version=True, **where)
    store.undelete_secret_versions(versions=[2], **where)
    assert store.read_secret_version(raise_on_deleted_version=True, **where)["data"]["data"]["more"] == "1"
    store.destroy_secret_versions(versions=[1], **where)
    metadata = store.read_secret_metadata(**where)["data"]
    assert metadata["versions"]["1"]["destroyed"] and not metadata["versions"]["2"]["destroyed"]
    store.delete_metadata_and_all_versions(**where)
    refused(exceptions.InvalidPath, store.read_secret_metadata, **where)
    client.sys.disable_secrets_engine("hvac-kv")


def tokens(client):
    client.sys.create_or_update_policy("hvac-reader", 'path "secret/data/app/*" { capabilities = ["read"] }')
    assert "hvac-reader" in client.sys.list_policies()["data"]["policies"]
    auth = client.auth.token.create(policies=["hvac-reader"], ttl="10m")["auth"]
    child = open_client(auth["client_token"])
    client.secrets.kv.v2.create_or_update_secret(path="app/seen", secret={"a": "1"})
    assert child.secrets.kv.v2.read_secret_version(path="app/seen", raise_on_deleted_version=True)["data"]["data"] == {"a": "1"}
    refused(exceptions.Forbidden, child.secrets.kv.v2.create_or_update_secret, path="app/seen", secret={"a": "2"})
    assert "hvac-reader" in child.auth.token.lookup_self()["data"]["policies"]
    assert child.auth.token.renew_self()["auth"]["lease_duration"] == 600
    assert client.auth.token.lookup_accessor(auth["accessor"])["data"]["accessor"] == auth["accessor"]
    client.auth.token.revoke_accessor(auth["accessor"])
    refused(exceptions.Forbidden, child.auth.token.lookup_self)
    client.sys.delete_policy("hvac-reader")


def database(client):
    read = client.secrets.database.generate_credentials(name="foreign", mount_point="foreign-db")
    assert read["data"]["username"] and read["data"]["password"] and read["renewable"]
    renewed = client.sys.renew_lease(read["lease_id"], increment=60)
    assert renewed["lease_id"] == read["lease_id"]
    assert client.sys.read_lease(read["lease_id"])["data"]["id"] == read["lease_id"]
    client.sys.revoke_lease(read["lease_id"])
    refused(exceptions.InvalidRequest, client.sys.read_lease, read["lease_id"])
    print(json.dumps({"username": read["data"]["username"]}))


def pki(client):
    issued = client.secrets.pki.generate_certificate(
        name="foreign", common_name="a.foreign.test", mount_point="foreign-pki"
    )["data"]
    assert issued["certificate"].startswith("-----BEGIN CERTIFICATE-----") and issued["private_key"]
    refused(
        exceptions.InvalidRequest,
        client.secrets.pki.generate_certificate,
        name="foreign",
        common_name="a.another.test",
        mount_point="foreign-pki",
    )
    read = client.secrets.pki.read_certificate(issued["serial_number"], mount_point="foreign-pki")["data"]
    assert read["certificate"].strip() == issued["certificate"].strip()


def jwt(client):
    anonymous = hvac.Client(url=os.environ["VAULT_ADDR"], verify=os.environ["VAULT_CACERT"])
    auth = anonymous.auth.jwt.jwt_login(role="foreign", jwt=os.environ["GOOD_JWT"], path="foreign-jwt")["auth"]
    assert open_client(auth["client_token"]).is_authenticated()
    refused(
        (exceptions.InvalidRequest, exceptions.Forbidden),
        anonymous.auth.jwt.jwt_login,
        role="foreign",
        jwt=os.environ["WRONG_JWT"],
        path="foreign-jwt",
    )


JOBS = {job.__name__: job for job in (server, kv, tokens, database, pki, jwt)}

if __name__ == "__main__":
    JOBS[sys.argv[1]](open_client())
