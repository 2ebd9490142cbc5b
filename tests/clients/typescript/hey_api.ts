// Drives a project and an action with the client that @hey-api/openapi-ts makes.
import { createClient, createConfig } from "./sdk/client/index.js";
import * as api from "./sdk/sdk.gen.js";

const baseUrl = process.env.PARAPH_URL!;
const brief = "Members of a club lend tents. Staff must be able to add tents and to list late loans.";

function clientOf(authorization: string) {
  const headers = { Authorization: authorization };
  return createClient(createConfig({ baseUrl, headers, throwOnError: true }));
}

type Caller = ReturnType<typeof clientOf>;

async function newProject(client: Caller, name: string, workflow: string): Promise<string> {
  const body = { name, brief, workflow };
  const { data } = await api.projectsCreate({ client, body, throwOnError: true });
  await api.projectsMembersCreate({
    client,
    path: { project_id: data.id },
    body: { user: "approver", role: "approver" },
    throwOnError: true,
  });
  return data.id;
}

async function approveAll(client: Caller, project: string) {
  const query = { project, status: "pending" as const };
  const { data } = await api.hitlRequestsList({ client, query, throwOnError: true });
  for (const { id, subject_digest } of data.results) {
    const body = { action: "approve" as const, subject_digest };
    await api.hitlRequestsDecide({ client, path: { request_id: id }, body, throwOnError: true });
  }
}

async function complete(client: Caller, approver: Caller, project: string) {
  const path = { project_id: project };
  const until = Date.now() + 240_000;
  for (;;) {
    const { data } = await api.projectsProgressRetrieve({ client, path, throwOnError: true });
    if (data.status === "completed") return;
    if (Date.now() > until) throw new Error("The project is not completed.");
    await approveAll(approver, project);
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
}

async function act(owner: Caller, approver: Caller, project: string) {
  const { data: credential } = await api.projectsCredentialsCreate({
    client: owner,
    path: { project_id: project },
    body: { name: "support", scopes: ["ask"] },
    throwOnError: true,
  });
  const client = clientOf(`Bearer ${credential.token}`);
  const { data: action } = await api.projectsActionsAsk({
    client,
    path: { project_id: project },
    headers: { "Idempotency-Key": "refund-1234" },
    body: { tool: { name: "refund" }, arguments: { order: "1234", amount: 12.5 }, agent: { name: "support" } },
    throwOnError: true,
  });
  await approveAll(approver, project);
  const path = { action_id: action.id };
  const { data: claim } = await api.actionsClaim({
    client,
    path,
    body: { action_digest: action.action_digest },
    throwOnError: true,
  });
  const body = { fence: claim.fence, status: "succeeded" as const, result: { refund: "r-9" } };
  const { data: ended } = await api.actionsOutcome({ client, path, body, throwOnError: true });
  if (ended.status !== "succeeded") throw new Error(ended.status);
}

const owner = clientOf(`Token ${process.env.PARAPH_OWNER}`);
const approver = clientOf(`Token ${process.env.PARAPH_APPROVER}`);
const project = await newProject(owner, "Tents", "sdlc");
await complete(owner, approver, project);
const { data: file } = await api.projectsExport({
  client: owner,
  path: { project_id: project },
  parseAs: "arrayBuffer",
  throwOnError: true,
});
if (new TextDecoder().decode((file as unknown as ArrayBuffer).slice(0, 2)) !== "PK") throw new Error("No ZIP.");
await act(owner, approver, await newProject(owner, "Refunds", "none"));
