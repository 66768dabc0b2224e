--- Closing under load and at every moment: what was sent arrives, whoever waits is told, and nobody
--- holds up an end for longer than its bound.

local cluster = require "silly.net.cluster"
local task = require "silly.task"
local time = require "silly.time"
local log = require "spec.support.log"
local node = require "spec.support.node"
local raw = require "spec.support.raw"
local shell = require "spec.support.shell"
local size = require "spec.support.size"
local streams = require "spec.support.streams"
local wire = require "spec.support.wire"

teardown(shell.clean)

local MEGABYTE = 1000000
local PIECE = 50000

--- The piece of this number, which begins with it.
local function piece(number)
	return ("%08d"):format(number) .. ("x"):rep(PIECE - 8)
end

describe("what was sent before a close", function()
	before_each(streams.before)
	after_each(streams.after)

	local COUNT = size.of(10, 100) * MEGABYTE / PIECE

	--- Reads in sips until the end; it must come in order.
	local function sip(client, take)
		local why
		repeat
			local data, partial
			data, why, partial = client.sock:receive(200000)
			take(data or partial)
			time.sleep(1)
		until why and why ~= "timeout"
		assert.equal("closed", why)
	end

	it("reaches a slow reader whole and in order: messages of the cluster", async(function()
		local server = raw.listen()
		local peer = node.connect(server.addr)
		local client = server:accept()
		task.fork(function()
			for number = 1, COUNT do
				assert.is_true(cluster.send(peer, 1, piece(number)))
			end
			cluster.close(peer)
		end)
		local rest, arrived = "", 0
		sip(client, function(data)
			local frame
			rest = rest .. data
			repeat
				frame, rest = wire.decode(rest)
				if frame then
					arrived = arrived + 1
					assert.equal(arrived, tonumber(frame.data:sub(1, 8)))
					assert.equal(PIECE, #frame.data)
				end
			until not frame
		end)
		assert.same({ COUNT, "" }, { arrived, rest })
	end, 60))

	it("reaches a slow reader whole and in order: a stream", async(function()
		local conn, client = streams.with_raw()
		local pieces = {}
		for number = 1, COUNT do
			pieces[number] = piece(number)
		end
		local whole, place = table.concat(pieces), 0
		assert.is_true(conn:write(pieces))
		conn:close()
		sip(client, function(data)
			assert.is_true(data == whole:sub(place + 1, place + #data), "other bytes after " .. place)
			place = place + #data
		end)
		assert.equal(#whole, place)
	end, 60))

	it("is handled before the close callback, though many turns are needed to read it", async(function()
		local handled, closed = 0, nil
		node.serve({
			call = function(_, _, body)
				handled = handled + 1
				assert(tonumber(body:sub(1, 8)) == handled)
			end,
			close = function(_, errno)
				closed = { handled, errno }
			end,
		})
		local client = raw.connect(node.listen().addr)
		for number = 1, COUNT do
			client:send(wire.request(number, 1, piece(number)))
		end
		client:close()
		node.eventually(function()
			return closed
		end, "the close callback", 20000)
		assert.same({ COUNT, 0 }, closed)
		assert.equal("", log.text())
	end, 60))
end)

describe("a close", function()
	local clock, outcomes

	before_each(function()
		node.before()
		outcomes = {}
	end)
	after_each(node.after)

	local MOMENTS, CALLERS = size.of(64, 4000), 8

	--- What a call may come to when somebody closes meanwhile.
	local OUTCOMES = { ["r:x"] = true, closed = true, ["peer closed"] = true }

	--- A connection of its own, by which moments are told apart: each of its calls takes as many turns
	--- of the loop as one of the others'.
	local function start_clock()
		clock = node.pair()
		assert.equal("r:x", (cluster.call(clock, 1, "x")))
	end

	--- Waits until one of eight moments.
	local function wait(moment)
		for _ = 1, moment % 8 do
			assert(cluster.call(clock, 1, "x"))
		end
	end

	--- Has some tasks dial and call while `act` closes at a moment of its choice; all are told at once.
	local function disturb(peer, act)
		local took, results = node.timed(node.crowd, CALLERS + 1, function(index)
			if index > CALLERS then
				act()
				return "r:x"
			end
			return cluster.call(peer, 1, "x")
		end)
		assert.is_true(took < 2000, "calls ended by their deadline only")
		for _, result in ipairs(results) do
			local outcome = result[1] or result[2]
			assert.is_true(OUTCOMES[outcome], outcome)
			outcomes[outcome] = (outcomes[outcome] or 0) + 1
		end
	end

	it("by the dialling end is told to all callers, whatever the moment", async(function()
		start_clock()
		local listener = node.listen()
		for moment = 1, MOMENTS do
			local peer = cluster.connect(listener.addr, { shared = false })
			if moment % 16 < 8 then
				cluster.close(peer)
				peer = { addr = listener.addr } -- dials at its first call
			end
			disturb(peer, function()
				wait(moment)
				cluster.close(peer)
				cluster.close(peer)
			end)
			assert.same({ nil, "peer closed" }, { cluster.call(peer, 1, "x") })
		end
		assert.is_truthy(outcomes["r:x"] and outcomes.closed and outcomes["peer closed"])
		assert.equal("", log.text())
	end, 60))

	it("by the accepting end is told to all callers, whatever the moment", async(function()
		start_clock()
		local moment
		node.serve({
			accept = function(peer)
				wait(moment)
				cluster.close(peer)
				cluster.close(peer)
			end,
		})
		local listener = node.listen()
		for current = 1, MOMENTS do
			moment = current
			local peer = { addr = listener.addr }
			disturb(peer, function() end)
			cluster.close(peer)
		end
		assert.is_truthy(outcomes["r:x"] and outcomes.closed)
		assert.equal("", log.text())
	end, 60))

	it("of a listener inside its accept drops who waits behind, and leaves who is in", async(function()
		local listener, accepted = nil, 0
		node.serve({
			accept = function()
				accepted = accepted + 1
				cluster.close(listener)
				cluster.close(listener)
			end,
		})
		for _ = 1, size.of(5, 100) do
			listener, accepted = node.listen(), 0
			local clients = {}
			for index = 1, 10 do
				clients[index] = raw.connect(listener.addr)
				clients[index]:send(wire.request(index, 1, "x"))
			end
			local served = 0
			for _, client in ipairs(clients) do
				local frame = client:frame()
				served = served + (frame ~= "ended" and 1 or 0)
				client:close()
			end
			assert.is_true(served >= 1)
			assert.equal(accepted, served)
		end
		assert.equal("", log.text())
	end, 60))

	it("of everything inside a close callback ends all of it", async(function()
		local peers, ended, listener = {}, 0, nil
		local function close_all()
			for _, peer in ipairs(peers) do
				cluster.close(peer)
			end
			cluster.close(listener)
		end
		node.serve({
			accept = function(peer)
				peers[#peers + 1] = peer
			end,
			close = function()
				ended = ended + 1
				close_all()
			end,
		})
		listener = node.listen()
		local clients = {}
		for index = 1, 10 do
			clients[index] = raw.connect(listener.addr)
		end
		node.eventually(function()
			return #peers == 10
		end, "all connections")
		clients[5]:reset()
		for index, client in ipairs(clients) do
			assert.is_true(index == 5 or client:has_ended())
		end
		assert.equal(1, ended)
		assert.equal("", log.text())
	end))
end)

describe("a peer that never reads", function()
	local BOUND = { close = 5000, exit = 2000 }

	--- Writes until the kernel takes no more and 1 MiB is queued, says when it ends, and ends.
	local HEAD = [[
		local silly, task, time = require "silly", require "silly.task", require "silly.time"
		local cluster, tcp = require "silly.net.cluster", require "silly.net.tcp"
		cluster.serve { call = print, unmarshal = print, marshal = function(_, c, b) return c, b end }
		silly.run(function()
			local data = ("x"):rep(60000)
	]]
	local FILL = {
		cluster = [[
			local handle = cluster.connect(arg[1])
			while cluster.send(handle, 1, data, 200) do end
			local close = cluster.close
		]],
		stream = [[
			local handle = assert(tcp.connect(arg[1]))
			for _ = 1, 1000 do handle:write(data) end
			local close = handle.close
		]],
	}
	local END = { close = "close(handle)", exit = "silly.exit()" }

	local took = {}

	setup(function()
		local server, commands = raw.listen(), {}
		for what, fill in pairs(FILL) do
			for how, finish in pairs(END) do
				local name = what .. "_" .. how
				local script = HEAD .. fill .. "print(time.now()) io.stdout:flush() " .. finish .. " end)"
				shell.write(name .. ".lua", script)
				commands[#commands + 1] = ("{ began=$(%s %s.lua %s); echo %s $(($(date +%%s%%3N) - began)); } &"):format(
					shell.lua, name, server.addr, name)
			end
		end
		-- Side by side, since each takes its time.
		local result = shell.command(("sh -c '%s wait'"):format(table.concat(commands, " ")), nil, nil, 30)
		assert.equal("", result.err)
		for name, milliseconds in result.out:gmatch("([%w_]+) (%d+)") do
			took[name] = tonumber(milliseconds)
		end
		raw.close_all()
	end)

	for what in pairs(FILL) do
		for how, bound in pairs(BOUND) do
			it(("holds up the %s of a %s for %d s"):format(how, what, bound / 1000), function()
				local milliseconds = took[what .. "_" .. how]
				assert.is_true(milliseconds >= bound - 50, milliseconds)
				assert.is_true(milliseconds < bound + 1500, milliseconds)
			end)
		end
	end
end)
