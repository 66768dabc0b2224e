--- Scale: as many connections as a process may have, crowds of calls that wait, crowds that time out.

local cluster = require "silly.net.cluster"
local crowded = require "spec.support.crowded"
local meter = require "spec.support.meter"
local node = require "spec.support.node"
local process = require "spec.support.process"
local raw = require "spec.support.raw"
local rust = require "spec.support.rust"
local shell = require "spec.support.shell"
local size = require "spec.support.size"
local wire = require "spec.support.wire"

local LIFE = { seconds = size.of(20, 300) }

--- A server of crowded.lua, and a connection of ours to it.
local function serve()
	local server = process.start('require("spec.support.crowded").server()', LIFE)
	return server, node.connect(server:output("at ([%d.:]+)"))
end

--- Descriptors that are not for a crowd of connections.
local SPARE = 200

--- A caller of crowded.lua with a server of its own, and a connection of ours to the caller.
local function crowd()
	local server, peer = serve()
	local caller = process.start(('require("spec.support.crowded").caller("%s", %d)'):format(
		peer.addr, server.pid
	), LIFE)
	return node.connect(caller:output("at ([%d.:]+)")), peer
end

--- Tells a program of crowded.lua what to do.
local function tell(peer, cmd, body)
	return assert(cluster.call(peer, cmd, tostring(body), LIFE.seconds * 1000))
end

--- Waits for a count of a server's.
local function await(peer, what, count)
	node.eventually(function()
		return tonumber(tell(peer, crowded.COUNT, what)) == count
	end, count .. " " .. what, LIFE.seconds * 1000)
end

--- What each of so many connections costs a process that takes them in, in microseconds of its
--- processor time.
local function accepting(pid, addr, count)
	local there, began = meter.descriptors(pid), meter.busy(pid)
	for _ = 1, count do
		raw.connect(addr)
	end
	node.eventually(function()
		return meter.descriptors(pid) == there + count
	end, "all accepts")
	return (meter.busy(pid) - began) / count
end

describe("at scale", function()
	local program, bare

	setup(function()
		program = rust.example("accept")
	end)
	before_each(node.before)
	after_each(function()
		node.after()
		process.kill_all()
		if bare then
			bare.kill("KILL")
			bare = nil
		end
	end)
	teardown(shell.clean)

	it("a connection takes 2 KiB while idle, and each of a process full of them is served", async(function()
		local count = math.min(size.of(2000, 20000), meter.limit() - SPARE)
		local server, peer = serve()
		await(peer, "connections_in", 1)
		local before = meter.resident(server.pid)
		local clients = {}
		for index = 1, count do
			clients[index] = raw.connect(peer.addr)
		end
		await(peer, "connections_in", count + 1)
		local each = (meter.resident(server.pid) - before) / count
		for index, client in ipairs(clients) do
			client:send(wire.request(index, crowded.ECHO, tostring(index)))
		end
		for index, client in ipairs(clients) do
			assert.same({ response = true, session = index, data = tostring(index) }, client:frame())
		end
		local served = (meter.resident(server.pid) - before) / count
		size.note("resident memory per idle connection", "%.0f bytes of %d, %.0f after a call on each", each, count, served)
		assert.is_true(each <= 2048 and served <= 2048, ("%.0f and %.0f bytes each"):format(each, served))
	end, LIFE.seconds))

	it("an accept costs at most 1.7 times what a bare tokio loop's does", async(function()
		local rounds, count = 15, size.of(400, 600)
		count = math.min(count, math.floor((meter.limit() - SPARE) / rounds / 2))
		bare = shell.start("", { command = program })
		local server, peer = serve()
		local address = bare.read("*l")
		local ours, theirs, ratios = {}, {}, {}
		tell(peer, crowded.COUNT, "accepts") -- our own connection is among those that it has by now
		-- Round by round, and the median: a loop that is late by chance finds many at once, which costs it
		-- half, so the best of one says nothing beside the best of the other.
		for round = 1, rounds do
			ours[round] = accepting(server.pid, peer.addr, count)
			theirs[round] = accepting(bare.pid, address, count)
			ratios[round] = ours[round] / theirs[round]
		end
		local ratio = meter.median(ratios)
		local text = ("%.1f us, a bare tokio loop's %.1f us, ratio %.2f"):format(
			meter.median(ours), meter.median(theirs), ratio
		)
		size.note("processor time of an accept", "%s", text)
		assert.is_true(ratio <= 1.7, text)
	end, LIFE.seconds))

	it("a crowd of parked calls leaves the cost of another within 15 %", async(function()
		local parked, rounds, count = size.of(20000, 100000), size.of(15, 31), size.of(19200, 64000)
		local quiet = crowd()
		local full, server = crowd()
		tell(full, crowded.PARK, parked)
		await(server, "handlers", parked + 1) -- and the one that counts
		local without, with, ratios = {}, {}, {}
		for round = 0, rounds do -- the first one, 0, warms up
			without[round] = tonumber(tell(quiet, crowded.COST, count))
			with[round] = tonumber(tell(full, crowded.COST, count))
			ratios[round] = with[round] / without[round]
		end
		local ratio = meter.median(ratios)
		size.note(
			"processor time of a call, both ends", "%.2f us, beside %d parked calls %.2f us, ratio %.2f",
			meter.median(without), parked, meter.median(with), ratio
		)
		assert.is_true(ratio <= 1.15, ("%.2f times as much"):format(ratio))
	end, LIFE.seconds))

	it("calls that time out leave no entry and no memory", async(function()
		local count = size.of(20000, 1000000)
		local report = tell(crowd(), crowded.EXPIRE, count)
		local pattern = "(%d+ calls in flight, %d+ bytes queued, %d+ tasks), (%d+) entries, (%d+) bytes\n?"
		local before, entries, memory, after, more, grown = report:match(pattern .. pattern)
		more, grown = more - entries, (grown - memory) / 1024
		size.note("after calls that timed out", "%s, %+d entries, %+.0f KiB for %d calls", after, more, grown, count)
		assert.equal("0 calls in flight, 0 bytes queued, 1 tasks", before)
		assert.equal(before, after)
		-- The pool of coroutines may be a little larger, and memory in larger pieces. LuaJIT keeps some dead
		-- keys of weak tables, a few for each coroutine of the pool, however many calls there were.
		local kept = rawget(_G, "jit") and 4000 or 100
		assert.is_true(more < kept and grown < 4096, ("%d entries and %.0f KiB more"):format(more, grown))
	end, LIFE.seconds))
end)
