"""Access to the tools: token, audience, tenant, features, Host and Origin, limits."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx2
import pytest

from runtime.settings import Settings
from tests.harness.assistant import connected, over_http, over_stdio
from tests.harness.forked import run
from tests.harness.gateway import ALL_FEATURES, Gateway, serving, token
from tests.harness.roles import environment
from tests.harness.wire import new_id
from tests.integration.api.signal_desk import INTERACTIONS, PEOPLE

pytestmark = [pytest.mark.integration, pytest.mark.timeout(180)]
ACCEPT = {"Accept": "application/json, text/event-stream", "Content-Type": "application/json"}
LIST = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}


def post(client: httpx2.Client, bearer: str | None, **headers: str) -> httpx2.Response:
    given = {"Authorization": f"Bearer {bearer}"} if bearer is not None else {}
    return client.post("/mcp", json=LIST, headers={**ACCEPT, **given, **headers})


def test_every_request_needs_a_token_for_this_resource(anonymous: httpx2.Client, gateway: Gateway) -> None:
    resource = f"{gateway.url}/mcp"
    assert post(anonymous, token(aud=resource)).status_code == 200
    assert post(anonymous, token(aud=["https://elsewhere.example", resource])).status_code == 200
    refused = {
        "none": None,
        "no audience": token(),
        "audience of another resource": token(aud="https://elsewhere.example/mcp"),
        "audience of the gateway": token(aud=gateway.url),
        "expired": token(aud=resource, expires_in=-60),
        "another key": token(aud=resource, secret="another secret that is also long enough"),
        "nonsense": "abc.def.ghi",
    }
    for name, bearer in refused.items():
        answer = post(anonymous, bearer)
        assert (answer.status_code, answer.json()["code"]) == (401, "unauthorized"), name
        assert resource in answer.json()["detail"]
        url = answer.headers["www-authenticate"].partition('resource_metadata="')[2].rstrip('"')
        assert httpx2.get(url).json()["resource"] == resource


def test_a_token_for_the_tools_is_none_for_a_gateway_with_another_audience(
    world: Settings, gateway: Gateway
) -> None:
    """The routes keep their own rule; the tools hand the verified caller over within the process."""
    with serving(world, INTERACTIONS_API_JWT_AUDIENCE="https://crm.example") as strict:
        resource = f"{strict.url}/mcp"
        for_tools, for_routes = token(aud=resource), token(aud="https://crm.example")
        with strict.client(for_tools) as client:
            assert client.get(INTERACTIONS).status_code == 401
        with strict.client(for_routes) as client:
            assert client.get(INTERACTIONS).status_code == 200
            assert post(client, for_routes).status_code == 401
        with connected(over_http(resource, for_tools, "auto")) as assistant:
            assert assistant.call("find_customers").text.startswith("READ.")


def test_a_caller_cannot_hand_over_a_principal(anonymous: httpx2.Client) -> None:
    for name in ("interactions.principal", "interactions-principal", "x-interactions-principal"):
        answer = anonymous.get(INTERACTIONS, headers={name: "root"})
        assert answer.status_code == 401


def test_the_public_url_is_the_audience_and_the_allowed_host(world: Settings) -> None:
    public = "https://crm.example/mcp"
    issuer = "https://login.example"
    with (
        serving(world, INTERACTIONS_API_MCP_RESOURCE=public, INTERACTIONS_API_JWT_ISSUER=issuer) as behind,
        httpx2.Client(base_url=behind.url) as client,
    ):
        bearer = token(aud=public, iss=issuer)
        assert post(client, bearer, Host="crm.example").status_code == 200
        assert post(client, bearer, Host="evil.example").status_code == 421
        assert post(client, bearer, Host="crm.example", Origin="https://evil.example").status_code == 403
        assert post(client, bearer, Host="crm.example", Origin="https://crm.example").status_code == 200
        shown = client.get("/.well-known/oauth-protected-resource/mcp").json()
        assert (shown["resource"], shown["authorization_servers"]) == (public, [issuer])


def test_without_a_known_address_no_token_is_accepted(world: Settings) -> None:
    with (
        serving(world, INTERACTIONS_API_HOST="0.0.0.0") as anywhere,
        httpx2.Client(base_url=anywhere.url) as client,
    ):
        answer = post(client, token(aud="anything"))
        assert (answer.status_code, answer.json()["code"]) == (503, "mcp_resource_unknown")


@pytest.mark.parametrize("method", ["GET", "DELETE", "PUT"])
def test_there_is_no_stream_to_open_and_no_session_to_end(
    anonymous: httpx2.Client, gateway: Gateway, method: str
) -> None:
    bearer = token(aud=f"{gateway.url}/mcp")
    answer = anonymous.request(method, "/mcp", headers={"Authorization": f"Bearer {bearer}", **ACCEPT})
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")
    assert anonymous.request(method, "/mcp").status_code == 401


def test_the_limits_of_the_gateway_apply(world: Settings) -> None:
    limits: dict[str, Any] = {
        "INTERACTIONS_API_MAX_BODY_BYTES": "2048",
        "INTERACTIONS_API_RATE_PER_SECOND": "0.001",
        "INTERACTIONS_API_RATE_BURST": "3",
    }
    with serving(world, **limits) as limited, httpx2.Client(base_url=limited.url) as client:
        bearer = token(aud=f"{limited.url}/mcp", user=new_id())
        headers = {**ACCEPT, "Authorization": f"Bearer {bearer}"}
        large = client.post("/mcp", content=b"[" + b"1," * 2000 + b"1]", headers=headers)
        assert (large.status_code, large.json()["code"]) == (413, "body_too_large")
        answers = [post(client, bearer) for _ in range(4)]
        assert answers[-1].status_code == 429
        assert int(answers[-1].headers["retry-after"]) >= 1
        assert "x-request-id" in answers[0].headers


def test_a_mutation_guard_refuses_an_assistant_too(world: Settings, tmp_path: Path) -> None:
    (tmp_path / "held.py").write_text(
        "from schemas.errors import Reject\n"
        "async def refuse(mutation):\n"
        "    raise Reject('legal_hold', 'This customer is under legal hold.', status=409)\n"
        "def register(guards):\n"
        "    guards.before.append(refuse)\n"
    )
    installed = tmp_path / "held-1.dist-info"
    installed.mkdir()
    (installed / "METADATA").write_text("Name: held\nVersion: 1\n")
    point = "[customer_interactions.mutation_guards]\nheld = held:register\n"
    (installed / "entry_points.txt").write_text(point)
    with serving(world, PYTHONPATH=str(tmp_path)) as guarded:
        url = f"{guarded.url}/mcp"
        with connected(over_http(url, token(aud=url), "auto")) as assistant:
            held = assistant.write("plan_interaction", entityId=new_id(), interactionType="call")
    assert (held["saved"], held.code) == (False, "legal_hold")


def test_ids_of_another_tenant_are_unknown(gateway: Gateway) -> None:
    with gateway.client() as client:
        person = client.post(PEOPLE, json={"displayName": "Hidden name"}).json()["id"]
        body = {"entityId": person, "interactionType": "call", "title": "Hidden title"}
        call = client.post(INTERACTIONS, json=body).json()["id"]
    url = f"{gateway.url}/mcp"
    foreign = token(tenant=new_id(), aud=url)
    with connected(over_http(url, foreign, "auto")) as assistant:
        answers = [
            assistant.call("get_interaction", id=call),
            assistant.write("update_interaction", id=call, title="x"),
            assistant.write("delete_interaction", id=call),
            assistant.write("plan_interaction", entityId=person, interactionType="call"),
            assistant.call("list_interactions", entityId=person),
        ]
        assert [it.code for it in answers[:3]] == ["interaction_not_found"] * 3
        assert answers[3]["saved"] is False
        assert answers[4].items == []
        assert not any("Hidden" in str(it.content) for it in answers)
    with gateway.client() as client:
        assert client.get(f"{INTERACTIONS}/{call}").json()["title"] == "Hidden title"


def _missing(assistant: Any, name: str, **arguments: Any) -> str:
    reply = assistant.call(name, **arguments)
    assert reply.is_error
    assert reply["problem"]["status"] == 403
    return str(reply["problem"]["detail"])


def test_a_missing_feature_is_named(gateway: Gateway) -> None:
    url = f"{gateway.url}/mcp"
    key, identity = new_id(), new_id()
    with connected(over_http(url, token(features=["customers.view"], aud=url), "auto")) as assistant:
        assert assistant.call("find_customers").items is not None
        for name, arguments, feature in (
            ("plan_interaction", {"entityId": identity, "interactionType": "call"}, "customers.create"),
            ("update_interaction", {"id": identity, "title": "x"}, "customers.edit"),
            ("skip_signal", {"id": identity}, "customers.edit"),
        ):
            assert feature in _missing(assistant, name, **arguments, requestKey=key)
    with connected(over_http(url, token(features=[], aud=url), "legacy")) as assistant:
        assert "customers.view" in _missing(assistant, "find_customers")
        assert "customers.view" in _missing(assistant, "delete_interaction", id=identity, requestKey=key)
    features = [name for name in ALL_FEATURES if name != "customers.create"]
    with connected(over_http(url, token(features=features, aud=url), "auto")) as assistant:
        following = {"interactionType": "call"}
        detail = _missing(assistant, "complete_interaction", id=identity, next=following, requestKey=key)
        assert "customers.create" in detail


def test_a_committed_change_that_cannot_be_read_back_is_saved_without_its_row(gateway: Gateway) -> None:
    url = f"{gateway.url}/mcp"
    with gateway.client() as client:
        person = client.post(PEOPLE, json={"displayName": "Ada"}).json()["id"]
    bearer = token(features=["customers.create"], aud=url)
    with connected(over_http(url, bearer, "auto")) as assistant:
        made = assistant.write("plan_interaction", entityId=person, interactionType="call")
        assert (made["outcome"], made["saved"], made["row"]) == ("applied", True, None)
        assert "could not be read back" in made.text
    with gateway.client() as client:
        assert client.get(f"{INTERACTIONS}/{made['id']}").status_code == 200


def _started(settings: Settings, gateway: Gateway, **extra: str) -> tuple[int, str]:
    done = run(["mcp"], environment(settings, INTERACTIONS_MCP_URL=gateway.url, **extra), timeout=60)
    assert done.stdout == "", "the standard output belongs to the protocol"
    return done.returncode, done.stderr


def test_stdio_without_an_identity_does_not_start(world: Settings, gateway: Gateway, tmp_path: Path) -> None:
    code, error = _started(world, gateway)
    assert code == 2
    assert "INTERACTIONS_MCP_TOKEN" in error
    assert "INTERACTIONS_MCP_TOKEN_FILE" in error
    code, error = _started(world, gateway, INTERACTIONS_MCP_TOKEN_FILE=str(tmp_path / "none"))
    assert (code, "INTERACTIONS_MCP_TOKEN_FILE" in error) == (2, True)
    code, error = _started(world, gateway, INTERACTIONS_MCP_TOKEN=token(expires_in=-60))
    assert (code, "expired" in error) == (77, True)
    code, error = _started(world, gateway, INTERACTIONS_MCP_TOKEN="no token")
    assert (code, "no token" in error) == (77, False), "a token is never printed"
    nowhere = Gateway(gateway.role, "http://127.0.0.1:9")
    code, error = _started(world, nowhere, INTERACTIONS_MCP_TOKEN=token())
    assert (code, "unavailable" in error) == (75, True)
    done = run(["mcp"], environment(world, INTERACTIONS_HOME=str(tmp_path), INTERACTIONS_MCP_TOKEN=token()))
    assert (done.returncode, "INTERACTIONS_MCP_URL" in done.stderr) == (2, True)


def test_a_renewed_token_is_read_from_its_file(gateway: Gateway, tmp_path: Path) -> None:
    file, log = tmp_path / "token", tmp_path / "log"
    file.write_text(token() + "\n")
    variables = {"INTERACTIONS_MCP_URL": gateway.url, "INTERACTIONS_MCP_TOKEN_FILE": str(file)}
    with connected(over_stdio(variables, log, "auto")) as assistant:
        assert not assistant.call("find_customers").is_error
        file.write_text(token(expires_in=-60))
        late = assistant.write("plan_interaction", entityId=new_id(), interactionType="call")
        assert (late["saved"], late["problem"]["status"]) == (False, 401)
        file.unlink()
        lost = assistant.write("plan_interaction", entityId=new_id(), interactionType="call")
        assert (lost["saved"], lost["problem"]["status"]) == (False, 401)
        file.write_text(token())
        assert not assistant.call("find_customers").is_error
    assert "eyJ" not in log.read_text(), "no token in the log"


def test_no_customer_text_and_no_token_in_the_log(world: Settings) -> None:
    with serving(world) as watched:
        url = f"{watched.url}/mcp"
        bearer = token(aud=url)
        with watched.client() as client:
            person = client.post(PEOPLE, json={"displayName": "Geheimname"}).json()["id"]
        with connected(over_http(url, bearer, "auto")) as assistant:
            assistant.call("find_customers", search="Geheimname")
            assistant.write("plan_interaction", entityId=person, interactionType="call", title="Krankmeldung")
            assistant.write("plan_interaction", entityId=person, Krankmeldung="Geheimname")
            with pytest.raises(Exception, match="There is no tool"):
                assistant.call("Krankmeldung")
        watched.role.wait_for_log('"route": "/mcp"')
        for secret in ("Geheimname", "Krankmeldung", bearer):
            assert secret not in watched.role.log
