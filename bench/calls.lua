--- Calls per second between two processes over loopback, with all that a call has in real use: a
--- deadline, the codec's callbacks, a task for each request.
--
--   make bench
--
-- This process is the client; it starts the server as a second one, which ends with it.

local silly = require "silly"
local cluster = require "silly.net.cluster"
local task = require "silly.task"
local time = require "silly.time"

--- How long each line measures, and what passes before it does, in milliseconds.
local MEASURED, BEFORE = 3000, 500

--- Callers at once, and bytes of each request and its answer.
local LINES = {
	{ callers = 1, size = 32 },
	{ callers = 64, size = 32 },
	{ callers = 1000, size = 32 },
	{ callers = 64, size = 16 * 1024 },
}

local function serve(close)
	cluster.serve {
		marshal = function(_, cmd, body)
			return cmd, body
		end,
		unmarshal = function(_, _, data)
			return data
		end,
		call = function(_, _, body)
			return body
		end,
		close = close,
		timeout = 5000,
	}
end

if arg[1] == "server" then
	serve(function()
		silly.exit(0)
	end)
	print(assert(cluster.listen("127.0.0.1:0")).addr)
	return
end

--- Calls per second and the share of calls that failed.
local function measure(peer, callers, size)
	local body = ("x"):rep(size)
	local calls, failures, left = 0, 0, callers
	local this, stop = task.running(), false
	for _ = 1, callers do
		task.fork(function()
			while not stop do
				if cluster.call(peer, 1, body) == body then
					calls = calls + 1
				else
					failures = failures + 1
				end
			end
			left = left - 1
			if left == 0 then
				task.wakeup(this)
			end
		end)
	end
	time.sleep(BEFORE)
	local began, before = time.monotonic(), calls
	time.sleep(MEASURED)
	local rate = (calls - before) * 1000 / (time.monotonic() - began)
	stop = true
	task.wait()
	return rate, failures
end

local top = arg[0]:match("^(.*/)bench/[^/]*$") or "./"
-- In the background, so that nobody waits for its end when the pipe is collected.
local server = assert(io.popen(("'%sbin/silly' '%s' server &"):format(top, arg[0])))
local address = assert(server:read("*l"), "the server did not start")
serve()

task.fork(function()
	local peer = cluster.connect(address)
	print(("%s, two processes on %s"):format(rawget(_G, "jit") and jit.version or _VERSION, address))
	print(("%8s %10s %12s %10s"):format("callers", "bytes", "calls/s", "failed"))
	for _, line in ipairs(LINES) do
		local rate, failures = measure(peer, line.callers, line.size)
		print(("%8d %10d %12.0f %10d"):format(line.callers, line.size, rate, failures))
		io.stdout:flush()
	end
	cluster.close(peer)
end)
