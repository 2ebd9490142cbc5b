// Drives a project and an action with the types that openapi-typescript makes.
import createClient from "openapi-fetch";
import type { paths } from "./types.d.ts";

const baseUrl = process.env.PARAPH_URL!;
const brief = "Members of a club lend tents. Staff must be able to add tents and to list late loans.";

function client(authorization: string) {
  return createClient<paths>({ baseUrl, headers: { Authorization: authorization } });
}

type Client = ReturnType<typeof client>;

// What the server says, or an end.
function ok<Data>(answer: { data?: Data; error?: unknown; response: Response }): Data {
  if (answer.data === undefined) throw new Error(`${answer.response.url}: ${JSON.stringify(answer.error)}`);
  return answer.data;
}

async function newProject(owner: Client, name: string, workflow: string): Promise<string> {
  const { id } = ok(
    await owner.POST("/api/v1/projects/", {
      body: { name, brief, workflow, oversight_level: "high", auto_start: true },
    }),
  );
  ok(
    await owner.POST("/api/v1/projects/{project_id}/members/", {
      params: { path: { project_id: id } },
      body: { user: "approver", role: "approver" },
    }),
  );
  return id;
}

async function approveAll(approver: Client, project: string) {
  const query = { project, status: "pending" as const };
  const { results } = ok(await approver.GET("/api/v1/hitl/requests/", { params: { query } }));
  for (const request of results) {
    ok(
      await approver.POST("/api/v1/hitl/requests/{request_id}/decisions/", {
        params: { path: { request_id: request.id } },
        body: { action: "approve", subject_digest: request.subject_digest, comment: "", break_glass: false },
      }),
    );
  }
}

async function complete(owner: Client, approver: Client, project: string) {
  const params = { path: { project_id: project } };
  const until = Date.now() + 240_000;
  while (ok(await owner.GET("/api/v1/projects/{project_id}/progress/", { params })).status !== "completed") {
    if (Date.now() > until) throw new Error("The project is not completed.");
    await approveAll(approver, project);
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
}

// The content of an artifact has the type of its kind.
async function readPlan(owner: Client, project: string) {
  const query = { project, artifact_type: "project_plan" as const };
  const { results } = ok(await owner.GET("/api/v1/artifacts/", { params: { query } }));
  const path = { artifact_id: results[0].id };
  const plan = ok(await owner.GET("/api/v1/artifacts/{artifact_id}/", { params: { path } }));
  if (plan.artifact_type !== "project_plan" || plan.content === null || "erased" in plan.content) {
    throw new Error("This is no plan.");
  }
  const title: string = plan.content.title;
  if (!title) throw new Error("The plan has no title.");
}

async function act(owner: Client, approver: Client, project: string) {
  const path = { project_id: project };
  const { token } = ok(
    await owner.POST("/api/v1/projects/{project_id}/credentials/", {
      params: { path },
      body: { name: "support", scopes: ["ask"] },
    }),
  );
  const agent = client(`Bearer ${token}`);
  const action = ok(
    await agent.POST("/api/v1/projects/{project_id}/actions/", {
      params: { path, header: { "Idempotency-Key": "refund-1234" } },
      body: { tool: { name: "refund" }, arguments: { order: "1234", amount: 12.5 }, agent: { name: "support" } },
    }),
  );
  await approveAll(approver, project);
  const place = { path: { action_id: action.id } };
  const claim = ok(
    await agent.POST("/api/v1/actions/{action_id}/claim/", {
      params: place,
      body: { action_digest: action.action_digest },
    }),
  );
  const body = { fence: claim.fence, status: "succeeded" as const, result: { refund: "r-9" } };
  const ended = ok(await agent.POST("/api/v1/actions/{action_id}/outcome/", { params: place, body }));
  if (ended.status !== "succeeded") throw new Error(ended.status);
}

const owner = client(`Token ${process.env.PARAPH_OWNER}`);
const approver = client(`Token ${process.env.PARAPH_APPROVER}`);
const project = await newProject(owner, "Tents", "sdlc");
await complete(owner, approver, project);
await readPlan(owner, project);
const file = ok(
  await owner.GET("/api/v1/projects/{project_id}/export/", {
    params: { path: { project_id: project } },
    parseAs: "arrayBuffer",
  }),
);
if (new TextDecoder().decode((file as unknown as ArrayBuffer).slice(0, 2)) !== "PK") throw new Error("No ZIP.");
await act(owner, approver, await newProject(owner, "Refunds", "none"));
