-- The whole thing at once: two workers and the gateway, each a process, and requests by HTTP. Then the
-- workers are killed, one after the other.
--
-- Prints:
--   two workers and the gateway are up
--   POST /upper hello: 200 HELLO
--   POST /sleep 10: 200 slept 10 ms
--   POST /sleep forever: 400 milliseconds wanted, up to 60000
--   POST /fail: 500 it has failed
--   POST /nothing: 404 nothing here
--   GET /upper: 405 POST only
--   POST /upper, with 60001 bytes: 413 more than 60000 bytes
--   POST /sleep 5000: 504 the worker did not answer in time
--   a worker is killed while it sleeps: 502 the worker has gone meanwhile; it may have done it
--   POST /upper there is another one: 200 THERE IS ANOTHER ONE
--   both workers are gone: 503 no worker can be reached

local cqueues = require "cqueues"
local http_request = require "http.request"

local folder = arg[0]:match("^(.*)[/\\]") or "."
local first = 0
while arg[first - 1] do
	first = first - 1
end
-- With the interpreter alone, however this script was started: the gateway has a loop of its own.
local start = "exec " .. arg[first] .. " " .. folder .. "/"

-- How long the gateway waits for a worker, in milliseconds.
local TIMEOUT = 500

local processes = {}

-- Starts a process of this example: its address, and what keeps it from being collected.
local function run(script, ...)
	local pipe = assert(io.popen(start .. table.concat({ script, ... }, " ")))
	local addr, pid = assert(pipe:read("*l")):match(" on (%S+), pid (%d+)$")
	local process = { addr = addr, pid = pid, pipe = pipe }
	processes[#processes + 1] = process
	return process
end

-- Kills a process, and waits until it has ended: one that is still ending may lose its connections before
-- its listener, and take another connection in.
local function kill(process)
	if process.pid then
		os.execute("kill -KILL " .. process.pid)
		process.pid = nil
		process.pipe:close()
	end
end

local gateway

-- Waits until the gateway has noticed that a worker is gone, and says so.
local function await_loss(worker)
	local line = gateway.pipe:read("*l")
	assert(line == "lost " .. worker.addr, line)
end

-- The response to a request: its status and its text.
local function request(path, body, method)
	local made = http_request.new_from_uri("http://" .. gateway.addr .. path)
	made.headers:upsert(":method", method or "POST")
	made:set_body(body or "")
	local head, stream = made:go(5)
	if not head then
		return "nothing: " .. tostring(stream)
	end
	local text = stream:get_body_as_string(5) or ""
	stream:shutdown()
	return head:get ":status" .. " " .. text:gsub("\n$", "")
end

local function scene()
	local one, other = run("worker.lua"), run("worker.lua")
	gateway = run("gateway.lua", "0", TIMEOUT, one.addr, other.addr)
	print("two workers and the gateway are up")
	print("POST /upper hello: " .. request("/upper", "hello"))
	print("POST /sleep 10: " .. request("/sleep", "10"))
	print("POST /sleep forever: " .. request("/sleep", "forever"))
	print("POST /fail: " .. request "/fail")
	print("POST /nothing: " .. request "/nothing")
	print("GET /upper: " .. request("/upper", "", "GET"))
	print("POST /upper, with 60001 bytes: " .. request("/upper", ("x"):rep(60001)))
	print("POST /sleep 5000: " .. request("/sleep", "5000"))

	-- The workers take turns, and the next is the second one. It is killed in the middle of its work,
	-- half of the gateway's time limit later.
	local loop, middle = cqueues.new(), nil
	loop:wrap(function()
		middle = request("/sleep", "5000")
	end)
	loop:wrap(function()
		cqueues.sleep(TIMEOUT / 2000)
		kill(other)
	end)
	assert(loop:loop())
	await_loss(other)
	print("a worker is killed while it sleeps: " .. middle)
	print("POST /upper there is another one: " .. request("/upper", "there is another one"))
	kill(one)
	await_loss(one)
	print("both workers are gone: " .. request("/upper", "nobody"))
end

local ok, why = pcall(scene)
for _, process in ipairs(processes) do
	kill(process)
end
assert(ok, why)
