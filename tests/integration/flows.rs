//! Executes the flows of `openapi/flows.arazzo.json` (Arazzo 1.0.1) as the document describes them.

use std::collections::BTreeMap;

use openapi_model::traverse;
use poem::http::Method;
use serde_json::{Value, json};

use crate::support::{Engine, TestApp, TestResponse};

/// Each retry runs the background jobs first, so that no test waits.
const MAX_RETRIES: usize = 5;

type Values = BTreeMap<String, Value>;

/// The state of a running workflow.
struct Flow<'a> {
    app: &'a TestApp,
    flows: &'a Value,
    inputs: Values,
    /// Outputs of steps by step and name.
    steps: BTreeMap<String, Values>,
}

fn flows() -> Value {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("openapi/flows.arazzo.json");
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

fn list<'v>(value: &'v Value, key: &str) -> &'v [Value] {
    value.get(key).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

fn outputs(value: &Value) -> impl Iterator<Item = (&String, &str)> {
    let all = value.get("outputs").and_then(Value::as_object).into_iter().flatten();
    all.map(|(name, expression)| (name, expression.as_str().unwrap()))
}

impl Flow<'_> {
    /// Returns the value of a runtime expression.
    fn evaluate(&self, expression: &str, response: Option<&TestResponse>) -> Value {
        let response = || response.unwrap_or_else(|| panic!("{expression} needs a response"));
        if let Some(pointer) = expression.strip_prefix("$response.body#") {
            let body = response().json();
            return body.pointer(pointer).unwrap_or_else(|| panic!("{expression}: {body}")).clone();
        }
        if let Some(name) = expression.strip_prefix("$response.header.") {
            return response().header(&name.to_ascii_lowercase()).into();
        }
        if let Some(name) = expression.strip_prefix("$inputs.") {
            return self.inputs[name].clone();
        }
        if let Some((step, name)) = expression.strip_prefix("$steps.").and_then(|rest| rest.split_once(".outputs.")) {
            return self
                .steps
                .get(step)
                .and_then(|outputs| outputs.get(name))
                .unwrap_or_else(|| panic!("{expression}"))
                .clone();
        }
        match expression {
            "$statusCode" => response().status.into(),
            _ => panic!("unknown expression {expression}"),
        }
    }

    /// Replaces the expressions in a value: a text that is one expression has its type, others contain expressions in braces.
    fn resolve(&self, value: &Value) -> Value {
        match value {
            Value::String(text) if text.starts_with('$') => self.evaluate(text, None),
            Value::String(text) => match text.split_once("{$") {
                Some((before, rest)) => {
                    let (expression, after) = rest.split_once('}').unwrap();
                    let value = self.evaluate(&format!("${expression}"), None);
                    format!("{before}{}{after}", value.as_str().unwrap()).into()
                }
                None => value.clone(),
            },
            Value::Object(map) => map.iter().map(|(key, value)| (key.clone(), self.resolve(value))).collect(),
            Value::Array(values) => values.iter().map(|value| self.resolve(value)).collect(),
            other => other.clone(),
        }
    }

    /// Returns whether a condition of the form `expression == value` holds.
    fn holds(&self, criterion: &Value, response: &TestResponse) -> bool {
        let condition = criterion["condition"].as_str().unwrap();
        let (left, right) = condition.split_once(" == ").unwrap_or_else(|| panic!("unknown condition {condition}"));
        let right = match right.strip_prefix('\'').and_then(|text| text.strip_suffix('\'')) {
            Some(text) => text.into(),
            None if right.starts_with('$') => self.evaluate(right, None),
            None => serde_json::from_str(right).unwrap(),
        };
        self.evaluate(left, Some(response)) == right
    }

    async fn send(&self, step: &Value) -> TestResponse {
        let operation_id = step["operationId"].as_str().unwrap();
        let document = contract::v2::document().value();
        let entry = traverse::operations(document).find(|entry| entry.id() == operation_id);
        let entry = entry.unwrap_or_else(|| panic!("unknown operation {operation_id}"));
        let mut path = format!("/v2{}", entry.path);
        let mut headers = Vec::new();
        for parameter in list(step, "parameters") {
            let (name, value) = (parameter["name"].as_str().unwrap(), self.resolve(&parameter["value"]));
            let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            let is_documented = entry.parameters(document).iter().any(|known| known.value["name"] == name);
            assert!(is_documented || name == "Authorization", "{operation_id} has no parameter {name}");
            match parameter["in"].as_str().unwrap() {
                "path" => path = path.replace(&format!("{{{name}}}"), &text),
                "header" => headers.push((name.to_owned(), text)),
                other => panic!("unknown location {other}"),
            }
        }
        assert!(!path.contains('{'), "{operation_id} lacks a path parameter: {path}");
        let method: Method = entry.method.to_uppercase().parse().unwrap();
        let anonymous = self.app.anonymous();
        let mut request = anonymous.request(method, &path);
        for (name, value) in &headers {
            request = request.header(name, value);
        }
        if let Some(body) = step.get("requestBody") {
            assert_eq!(body["contentType"], "application/json");
            request = request.json(&self.resolve(&body["payload"]));
        }
        request.send().await.any_status()
    }

    async fn step(&mut self, step: &Value) {
        let id = step["stepId"].as_str().unwrap().to_owned();
        let mut values = Values::new();
        if let Some(workflow) = step.get("workflowId") {
            let parameters = list(step, "parameters").iter();
            let inputs = parameters
                .map(|parameter| (parameter["name"].as_str().unwrap().to_owned(), self.resolve(&parameter["value"])));
            let returned =
                Box::pin(run_workflow(self.app, self.flows, workflow.as_str().unwrap(), inputs.collect())).await;
            for (name, expression) in outputs(step) {
                values.insert(name.clone(), returned[expression.strip_prefix("$outputs.").unwrap()].clone());
            }
        } else {
            let mut response = self.send(step).await;
            let criteria = list(step, "successCriteria");
            assert!(!criteria.is_empty(), "{id} has no success criteria");
            for _ in 0..MAX_RETRIES {
                let is_complete = criteria.iter().all(|criterion| self.holds(criterion, &response));
                let may_retry = list(step, "onFailure").iter().any(|action| {
                    action["type"] == "retry"
                        && list(action, "criteria").iter().all(|criterion| self.holds(criterion, &response))
                });
                if is_complete || !may_retry {
                    break;
                }
                self.app.run_jobs().await;
                response = self.send(step).await;
            }
            for criterion in criteria {
                assert!(self.holds(criterion, &response), "step {id}: {criterion} does not hold: {response:?}");
            }
            for (name, expression) in outputs(step) {
                values.insert(name.clone(), self.evaluate(expression, Some(&response)));
            }
        }
        self.steps.insert(id, values);
    }
}

/// Runs a workflow and returns its outputs.
async fn run_workflow(app: &TestApp, flows: &Value, id: &str, inputs: Values) -> Values {
    let workflow = list(flows, "workflows").iter().find(|workflow| workflow["workflowId"] == id);
    let workflow = workflow.unwrap_or_else(|| panic!("unknown workflow {id}"));
    for required in list(&workflow["inputs"], "required") {
        assert!(inputs.contains_key(required.as_str().unwrap()), "{id} needs the input {required}");
    }
    let mut flow = Flow { app, flows, inputs, steps: BTreeMap::new() };
    for step in list(workflow, "steps") {
        flow.step(step).await;
    }
    outputs(workflow).map(|(name, expression)| (name.clone(), flow.evaluate(expression, None))).collect()
}

both_engines! {
    async fn every_flow_succeeds(engine: Engine) {
        let app = TestApp::new(engine);
        let flows = flows();
        let (email, password) = ("flows@example.com", "harbour-lantern-42");
        let registration = json!({"email": email, "password": password, "name": "Flows"});
        app.anonymous().post("/v2/auth/register", &registration).await.expect(201);
        let workflows = list(&flows, "workflows");
        assert!(workflows.len() > 4);
        for workflow in workflows {
            let inputs = [("email", email), ("password", password), ("idempotencyKey", "flows-1")];
            let inputs = inputs.map(|(name, value)| (name.to_owned(), value.into())).into();
            let outputs = run_workflow(&app, &flows, workflow["workflowId"].as_str().unwrap(), inputs).await;
            if workflow["workflowId"] == "completeAnItem" {
                assert_eq!(outputs["completed"], 1);
            }
        }
    }
}

#[tokio::test]
async fn flows_are_served_and_listed_in_the_catalog() {
    let app = TestApp::new(Engine::Sqlite);
    let served = app.anonymous().get("/openapi/flows.arazzo.json").await.expect(200);
    assert_eq!(served.json(), flows());
    let catalog = app.anonymous().get("/.well-known/api-catalog").await.expect(200).json().to_string();
    assert!(catalog.contains("/openapi/flows.arazzo.json"), "{catalog}");
    assert!(list(&flows(), "sourceDescriptions")[0]["url"] == "./v2.json");
}
