-- Requests of one operation for wrk. The environment: METHOD, REQUEST_PATH, TOKENS (separated by spaces), RUN (unique per run).

local threads = 0

function setup(thread)
  thread:set("thread", threads)
  threads = threads + 1
end

function init()
  method = os.getenv("METHOD")
  path = os.getenv("REQUEST_PATH")
  run = os.getenv("RUN")
  count = 0
  tokens = {}
  for token in string.gmatch(os.getenv("TOKENS"), "%S+") do
    tokens[#tokens + 1] = token
  end
end

function request()
  count = count + 1
  local headers = { ["Authorization"] = "Bearer " .. tokens[count % #tokens + 1] }
  local body = nil
  if method == "POST" then
    headers["Content-Type"] = "application/json"
    body = string.format('{"name":"Coast %s %d %d","description":"A hike along the coast with friends"}', run, thread, count)
  end
  return wrk.format(method, path, headers, body)
end

function done(summary, latency)
  local errors = summary.errors
  local failed = errors.status + errors.connect + errors.read + errors.write + errors.timeout
  io.write(string.format("result %d %d %d %d\n", summary.requests, failed, latency:percentile(50), latency:percentile(99)))
end
