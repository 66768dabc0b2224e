--- Peers that take less than they are given, ask for more than they read, or start more than they
--- finish.

local cluster = require "silly.net.cluster"
local task = require "silly.task"
local time = require "silly.time"
local log = require "spec.support.log"
local node = require "spec.support.node"
local process = require "spec.support.process"
local raw = require "spec.support.raw"
local size = require "spec.support.size"
local wire = require "spec.support.wire"

local MIB = 1024 * 1024

--- Sends numbered messages to the address in its first line, and says how far it came.
local SENDER = [[
	local cluster = require "silly.net.cluster"
	local task = require "silly.task"
	local addr, count, length, limit = %q, %d, %d, %d
	io.stdout:setvbuf("line")
	local function memory(what)
		for line in io.lines("/proc/self/status") do
			local kilobytes = line:match("^" .. what .. ":%%s+(%%d+) kB")
			if kilobytes then
				return tonumber(kilobytes)
			end
		end
	end
	cluster.serve {
		marshal = function(_, cmd, body)
			return cmd, body
		end,
		unmarshal = function() end,
		call = function() end,
		keepalive = false,
	}
	task.fork(function()
		local peer = cluster.connect(addr)
		local body = ("x"):rep(length)
		local before, most = memory("VmRSS"), 0
		for number = 1, count do
			local ok, why = cluster.send(peer, number, body, limit)
			if not ok then
				-- Once; the other end begins to read when it sees this.
				print(("suspended at %%d: %%s, growth %%d"):format(number, why, memory("VmHWM") - before))
				assert(cluster.send(peer, number, body, 60000))
				limit = 60000
			end
			most = math.max(most, cluster.stats().bytes_queued)
		end
		print(("all sent, growth %%d, most queued %%d"):format(memory("VmHWM") - before, most))
		cluster.close(peer)
	end)
]]

--- Floods the other end with calls whose handlers call back, so many deep; both programs do.
local FLOOD = [[
	local cluster = require "silly.net.cluster"
	local task = require "silly.task"
	local plain = require "spec.support.plain"
	local addr, callers, rounds, depth = %q, %d, %d, %d
	io.stdout:setvbuf("line")
	local function flood(peer)
		local left = callers
		for _ = 1, callers do
			task.fork(function()
				for round = 1, rounds do
					local answer, why = cluster.call(peer, depth, tostring(round), 20000)
					assert(answer == tostring(round), why)
				end
				left = left - 1
				if left == 0 then
					print("flooded")
				end
			end)
		end
	end
	plain.serve {
		call = function(peer, cmd, body)
			if cmd > 0 then
				return (assert(cluster.call(peer, cmd - 1, body, 20000)))
			end
			return body
		end,
		accept = flood,
		maxcalls = 4,
		highwater = 1,
	}
	if addr == "" then
		print("at " .. assert(cluster.listen("127.0.0.1:0")).addr)
	else
		task.fork(function()
			flood(cluster.connect(addr))
		end)
	end
]]

--- Calls over a handle of its own until told to stop; how often, and what went wrong.
local function bystander(addr)
	local state = { calls = 0, failures = {}, on = true }
	task.fork(function()
		local peer = node.connect(addr, { shared = false })
		while state.on do
			local answer, why = cluster.call(peer, 1, "still here")
			state.calls = state.calls + 1
			if answer ~= "r:still here" then
				state.failures[#state.failures + 1] = tostring(why)
			end
		end
		state.over = true
	end)
	return state
end

local function stop(state)
	state.on = false
	node.eventually(function()
		return state.over
	end, "the end of the bystander")
	assert.same({}, state.failures)
	assert.is_true(state.calls > 0)
end

describe("under pressure", function()
	before_each(node.before)
	after_each(function()
		process.kill_all()
		node.after()
	end)

	it("a sender waits at the mark, up to its deadline, and every byte arrives in order", async(function()
		local length = 60000
		local count = math.floor(size.of(100, 1024) * MIB / length)
		local server = raw.listen()
		local program = process.start(SENDER:format(server.addr, count, length, 200), { seconds = 120 })
		local reader = server:accept()
		local report = program:output("suspended at ([^\n]+)\n", 20000)
		local number, why, growth = report:match("^(%d+): (%w+), growth (%d+)$")
		assert.equal("timeout", why)
		-- The kernel takes some of it, but not all of that.
		assert.is_true(tonumber(number) < count / 2, number)
		assert.is_true(tonumber(growth) < 16 * 1024, growth)
		local session, body = -1, ("x"):rep(length)
		local frame = #wire.request(0, 1, body)
		assert.is_nil(reader:differs(count * frame, function()
			session = session + 1
			return wire.request(session, session + 1, body)
		end))
		assert.is_true(reader:has_ended())
		local queued
		growth, queued = program:output("all sent, ([^\n]+)\n"):match("^growth (%d+), most queued (%d+)$")
		assert.is_true(tonumber(growth) < 16 * 1024, growth)
		-- The last message may go beyond the mark.
		assert.is_true(tonumber(queued) <= MIB + length + 100, queued)
		size.note(("sending %d MB to a peer that does not read, then does: growth"):format(
			math.floor(count * length / 1000000)
		),
			"%.1f MiB", growth / 1024)
	end, size.of(20, 120)))

	it("the mark is where serve sets it", async(function()
		for _, mark in ipairs({ 1000, 300000 }) do
			node.serve({ highwater = mark, keepalive = false })
			local server = raw.listen()
			local peer = node.connect(server.addr)
			local filler = ("x"):rep(900)
			repeat
				local ok = cluster.send(peer, 1, filler, 20)
			until not ok
			local queued = cluster.stats().bytes_queued
			assert.is_true(queued >= mark and queued < mark + 1000, queued)
			cluster.close(peer)
			server:accept():close()
			node.eventually(function()
				return cluster.stats().bytes_queued == 0
			end, "the end of the connection")
		end
	end))

	it("whoever connects during a dial waits for that only", async(function()
		node.serve({
			maxcalls = 1,
			call = function(_, _, body)
				time.sleep(500)
				return body
			end,
		})
		local listener = node.listen()
		local peer = { addr = listener.addr }
		local answers = 0
		for _ = 1, 2 do
			task.fork(function()
				assert(cluster.call(peer, 1, "x"))
				answers = answers + 1
			end)
		end
		local took
		task.fork(function()
			took = node.timed(node.connect, listener.addr) -- all three wait for one dial
		end)
		node.eventually(function()
			return answers == 2
		end, "the answers")
		assert.is_true(took < 400, took)
	end))

	it("callers that wait go on when serve grants more", async(function()
		node.serve({ maxcalls = 1, highwater = 1 })
		local server = raw.listen()
		local peer = node.connect(server.addr)
		local client = server:accept()
		for number = 1, 3 do
			task.fork(function()
				cluster.call(peer, number, "x")
			end)
		end
		assert.equal(1, client:frame().cmd)
		assert.is_true(client:is_silent(20))
		-- Before a deadline makes room.
		node.serve({ maxcalls = 3 })
		assert.equal(2, client:frame(1000).cmd)
		assert.equal(3, client:frame(1000).cmd)
	end))

	it("a peer that never reads its answers is closed, and others notice nothing", async(function()
		local bound = size.of(2, 64) * MIB
		node.serve({
			maxanswers = bound,
			keepalive = false,
			call = function(_, cmd, body)
				return cmd == 2 and ("y"):rep(60000) or "r:" .. body
			end,
		})
		local listener = node.listen()
		local other = bystander(listener.addr)
		local greedy = raw.connect(listener.addr)
		local before = cluster.stats().overloads
		local asked = 0
		while cluster.stats().overloads == before and asked * 60000 < 10 * bound + 100 * MIB do
			pcall(greedy.send, greedy, wire.request(asked, 2, ""))
			asked = asked + 1
			time.sleep(0)
		end
		assert.equal(before + 1, cluster.stats().overloads)
		assert.is_true(asked * 60000 > bound)
		node.eventually(function()
			return log.text():find(greedy:name() .. ": it does not read its answers", 1, true)
		end, "the line in the log")
		stop(other)
	end))

	it("a peer that starts handlers which never end is closed, and others notice nothing", async(function()
		local bound = size.of(2000, 256 * 1024)
		local parked, closed = {}, {}
		node.serve({
			maxrequests = bound,
			timeout = 20000,
			call = function(_, cmd, body)
				if cmd == 2 then
					parked[#parked + 1] = task.running()
					task.wait()
				end
				return "r:" .. body
			end,
			close = function(_, errno)
				closed[#closed + 1] = errno
			end,
		})
		local listener = node.listen()
		local other = bystander(listener.addr)
		local flood = raw.connect(listener.addr)
		local batch = {}
		for session = 0, bound do
			batch[#batch + 1] = wire.request(session, 2, "")
			if #batch == 1000 or session == bound then
				flood:send(table.concat(batch))
				batch = {}
			end
		end
		node.eventually(function()
			return #closed > 0
		end, "the close", 60000)
		assert.same({ 105 }, closed)
		assert.matches((": %d of its requests are unfinished"):format(bound + 1), log.text(), 1, true)
		stop(other)
		assert.equal(#parked, cluster.stats().handlers)
		for _, thread in ipairs(parked) do
			task.wakeup(thread)
		end
		node.eventually(function()
			return cluster.stats().handlers == 0
		end, "the end of the handlers")
	end, size.of(20, 120)))

	it("nodes that flood each other, and whose handlers call back, never lock up", async(function()
		local rounds = size.of(20, 500)
		local first = process.start(FLOOD:format("", 100, rounds, 3), { seconds = 120 })
		local addr = first:output("at (%S+)")
		local second = process.start(FLOOD:format(addr, 100, rounds, 3), { seconds = 120 })
		first:output("flooded", 60000)
		second:output("flooded", 60000)
	end, size.of(20, 120)))
end)
