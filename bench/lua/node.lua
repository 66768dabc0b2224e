--- What the benchmarks run of the library: each role is a process of its own.
--
--   node.lua server                              prints its address, ends with its first client
--   node.lua client ADDRESS CALLERS SIZE MS      prints calls per second
--   node.lua sender ADDRESS SIZE MS              prints messages per second, as the server counts them
--   node.lua beside ADDRESS WHAT COUNT CALLS     prints microseconds of processor time per call of 64
--                                                callers, of both processes, beside so much else
--   node.lua chunks ADDRESS CHUNKS CALLS         the same for one chunk of calls after the other, each
--                                                once it has read a line
--   node.lua idle ADDRESS COUNT                  prints a line once it has so many connections, ends after one
--   node.lua parked ADDRESS COUNT                prints bytes of memory that a call in flight takes
--   node.lua bare COUNT                          the same of a suspended coroutine, one call deep
--
-- With TLS where the environment has CERTIFICATES, a directory that spec/support/certificates.rs has filled.
--
-- With all that a call has in real use: a deadline, the codec's callbacks, a task for each request.

local silly = require "silly"
local cluster = require "silly.net.cluster"
local task = require "silly.task"
local time = require "silly.time"

local ECHO, COUNT, COST, HOLD, SINK = 1, 2, 3, 4, 5
local CALLERS = 64
--- A fifth of the time passes before anything counts.
local BEFORE = 5
local FOREVER = 3600 * 1000

local received = 0

local deeds = {
	[ECHO] = function(body)
		return body
	end,
	[COUNT] = function()
		return tostring(received)
	end,
	[COST] = function()
		return tostring(os.clock())
	end,
	[HOLD] = function()
		task.wait()
	end,
	[SINK] = function() end,
}

--- The parts of a time before and while something counts.
local function parts(ms)
	local before = math.floor(ms / BEFORE)
	return before, ms - before
end

--- How much of this process's memory is resident, in bytes, once its garbage is gone.
local function resident()
	collectgarbage()
	collectgarbage()
	local file = assert(io.open("/proc/self/status"))
	local text = file:read("*a")
	file:close()
	return tonumber(text:match("VmRSS:%s*(%d+) kB")) * 1024
end

--- The option tls of a node, if it is to have one.
local function tls()
	local directory = os.getenv("CERTIFICATES")
	return directory and {
		cert = directory .. "/node.pem",
		key = directory .. "/node.key",
		ca = directory .. "/ca.pem",
	}
end

local function serve(call, close)
	cluster.serve {
		marshal = function(_, cmd, body)
			return body and cmd, body
		end,
		unmarshal = function(_, _, data)
			return data
		end,
		call = call,
		close = close,
		timeout = 5000,
		tls = tls(),
	}
end

--- Calls in so many tasks for as long as `goes_on` says; returns once all have ended.
local function crowd(peer, callers, body, goes_on)
	local left, this = callers, task.running()
	for _ = 1, callers do
		task.fork(function()
			while goes_on() do
				assert(cluster.call(peer, ECHO, body) == body)
			end
			left = left - 1
			if left == 0 then
				task.wakeup(this)
			end
		end)
	end
	task.wait()
end

--- So many calls of so many bytes by the usual crowd; microseconds of both processes for each.
local function cost(peer, calls)
	local body, left = ("x"):rep(32), calls
	local function clock()
		return os.clock() + tonumber((cluster.call(peer, COST, "")))
	end
	local before = clock()
	crowd(peer, CALLERS, body, function()
		left = left - 1
		return left >= 0
	end)
	return (clock() - before) * 1e6 / calls
end

--- What there may be so much of.
local beside = {}

function beside.connections(address, count)
	for _ = 2, count do
		assert(cluster.connect(address, { shared = false }).fd)
	end
end

function beside.parked(address, count)
	local peer = cluster.connect(address)
	for _ = 1, count do
		task.fork(function()
			cluster.call(peer, HOLD, "x", FOREVER)
		end)
	end
	time.sleep(0)
end

function beside.timers(_, count)
	for index = 1, count do
		time.after(FOREVER + index, print)
	end
end

local roles = {}

function roles.server()
	local first
	serve(function(peer, cmd, body)
		first = first or peer
		received = received + 1
		return deeds[cmd](body)
	end, function(peer)
		if peer == first then
			silly.exit(0)
		end
	end)
	print(assert(cluster.listen("127.0.0.1:0", 4096)).addr)
end

function roles.client(address, callers, size, ms)
	local peer, body, calls = cluster.connect(address), ("x"):rep(tonumber(size)), 0
	local began, before
	local function finish()
		local rate = (calls - before) * 1000 / (time.monotonic() - began)
		print(("%.0f"):format(rate))
		silly.exit(0)
	end
	local lead, measured = parts(ms)
	time.after(lead, function()
		began, before = time.monotonic(), calls
		time.after(measured, finish)
	end)
	crowd(peer, tonumber(callers), body, function()
		calls = calls + 1
		return true
	end)
end

function roles.sender(address, size, ms)
	local peer, body = cluster.connect(address), ("x"):rep(tonumber(size))
	local busy = true
	local function count()
		return tonumber((assert(cluster.call(peer, COUNT, "", 60000)))), time.monotonic()
	end
	task.fork(function()
		while busy do
			assert(cluster.send(peer, SINK, body, 60000))
		end
	end)
	local lead, measured = parts(ms)
	time.sleep(lead)
	local before, began = count()
	time.sleep(measured)
	local after, ended = count()
	busy = false
	print(("%.0f"):format((after - before) * 1000 / (ended - began)))
	silly.exit(0)
end

function roles.beside(address, what, count, calls)
	calls = tonumber(calls)
	local peer = cluster.connect(address)
	cost(peer, calls / 10) -- so that everything has its size
	beside[what](address, tonumber(count))
	print(("%.4f"):format(cost(peer, calls)))
	silly.exit(0)
end

function roles.chunks(address, chunks, calls)
	calls = tonumber(calls)
	local peer = cluster.connect(address)
	cost(peer, calls / 10)
	for _ = 1, tonumber(chunks) do
		io.read()
		print(("%.4f"):format(cost(peer, calls)))
		io.stdout:flush()
	end
	silly.exit(0)
end

function roles.idle(address, count)
	beside.connections(address, tonumber(count) + 1)
	print("here")
	io.stdout:flush()
	io.read()
	silly.exit(0)
end

function roles.parked(address, count)
	local peer = cluster.connect(address)
	local function hold() -- one for all: what is measured is the call
		cluster.call(peer, HOLD, "x", FOREVER)
	end
	local before = resident()
	for _ = 1, count do
		task.fork(hold)
	end
	time.sleep(0)
	print(("%.0f"):format((resident() - before) / count))
	silly.exit(0)
end

function roles.bare(count)
	local kept, before = {}, resident()
	local function wait()
		coroutine.yield()
	end
	local function hold()
		wait()
	end
	for index = 1, count do
		kept[index] = coroutine.create(hold)
		coroutine.resume(kept[index])
	end
	print(("%.0f"):format((resident() - before) / count))
end

local role = assert(roles[arg[1]], "the first argument must be a role")
if arg[1] ~= "server" then
	serve(function() end)
end
task.fork(function()
	role(arg[2], arg[3], arg[4], arg[5])
end)
