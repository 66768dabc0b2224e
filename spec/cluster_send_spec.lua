--- Sends: order, delivery, and what a peer that does not read does to its senders.

local cluster = require "silly.net.cluster"
local task = require "silly.task"
local time = require "silly.time"
local log = require "spec.support.log"
local node = require "spec.support.node"
local raw = require "spec.support.raw"
local wire = require "spec.support.wire"

describe("cluster.send", function()
	before_each(node.before)
	after_each(node.after)

	it("C20: sends and calls are handled in the order in which they were made", async(function()
		local order = {}
		node.serve({
			call = function(_, _, body)
				order[#order + 1] = body
				return "r"
			end,
		})
		local peer = node.pair()
		for index = 1, 5 do
			assert.same({ true, nil }, { cluster.send(peer, 1, tostring(index)) })
		end
		assert.equal("r", (cluster.call(peer, 1, "6")))
		assert.same({ "1", "2", "3", "4", "5", "6" }, order)
	end))

	it("C20: also those that wait for the dial", async(function()
		local order = {}
		node.serve({
			call = function(_, _, body)
				order[#order + 1] = tonumber(body)
				return "r"
			end,
		})
		local peer = { addr = node.listen().addr }
		node.crowd(50, function(index)
			if index % 10 == 0 then
				return cluster.call(peer, 1, tostring(index))
			end
			return cluster.send(peer, 1, tostring(index))
		end)
		for index = 1, 50 do
			assert.equal(index, order[index])
		end
		cluster.close(peer)
	end))

	it("C22: the answer to a send is dropped without a word", async(function()
		local handled = 0
		node.serve({
			call = function(_, _, body)
				handled = handled + 1
				return "answer to " .. body
			end,
		})
		local peer = node.pair()
		for _ = 1, 10 do
			assert.is_true(cluster.send(peer, 1, "x"))
		end
		assert.equal("answer to y", (cluster.call(peer, 1, "y")))
		assert.equal(11, handled)
		assert.equal("", log.text())
	end))

	it("C31: what was sent before a close is delivered, all of it", async(function()
		local count, closed, last = 0, nil, nil
		node.serve({
			call = function(_, _, body)
				count = count + 1
				last = body
			end,
			close = function(_, errno)
				closed = { count, errno }
			end,
		})
		local peer = node.pair()
		for index = 1, 2000 do
			assert.is_true(cluster.send(peer, 1, ("%d "):format(index) .. ("x"):rep(500)))
		end
		cluster.close(peer)
		node.eventually(function()
			return closed
		end, "the close callback of the server")
		assert.same({ 2000, 0 }, closed)
		assert.equal("2000", last:match("%d+"))
	end))

	it("C31: also to a peer that begins to read only after the close", async(function()
		local server = raw.listen()
		local peer = node.connect(server.addr)
		local client = server:accept()
		local data = ("x"):rep(50000)
		for _ = 1, 15 do
			assert.is_true(cluster.send(peer, 1, data))
		end
		cluster.close(peer)
		time.sleep(20)
		assert.equal(15, #client:frames(15))
		assert.is_true(client:has_ended())
	end))

	it("fails as a call does", async(function()
		local addr = raw.dead_address()
		local peer = { addr = addr }
		assert.same({ nil, "connect " .. addr .. ": Connection refused" }, { cluster.send(peer, 1, "x") })
		cluster.close(peer)
		assert.same({ nil, "peer closed" }, { cluster.send(peer, 1, "x") })
	end))

	it("a peer that does not read suspends its senders, up to their deadlines, and loses nothing", async(function()
		local server = raw.listen()
		local peer = node.connect(server.addr)
		local client = server:accept()
		local filler = ("x"):rep(60000)
		local sent = 0
		local took, ok, why
		repeat
			took, ok, why = node.timed(cluster.send, peer, sent, filler, 100)
			if ok then
				sent = sent + 1
			end
		until not ok or sent > 1000
		assert.equal("timeout", why)
		assert.is_true(took >= 99 and took < 1000, took)
		-- More than the mark of 1 MiB, which stands behind what the kernel takes.
		assert.is_true(sent * 60000 > 2 ^ 20)
		-- A call waits for room as well.
		assert.same({ nil, "timeout" }, { cluster.call(peer, 1, "x", 50) })
		-- Three that have time enough, in order.
		local late = {}
		for index = 0, 2 do
			task.fork(function()
				local result = { index, cluster.send(peer, sent + index, filler) }
				late[#late + 1] = result
			end)
		end
		local frames = client:frames(sent + 3)
		assert.equal(sent + 3, #frames)
		for index, frame in ipairs(frames) do
			assert.equal(index - 1, frame.cmd)
		end
		node.eventually(function()
			return #late == 3
		end, "the waiting senders")
		assert.same({ { 0, true }, { 1, true }, { 2, true } }, late)
		assert.is_true(client:is_silent(30))
	end))

	it("a connection that goes while senders wait for room tells them so", async(function()
		local server = raw.listen()
		local peer = node.connect(server.addr)
		local client = server:accept()
		local filler = ("x"):rep(60000)
		local results, done = {}, 0
		for index = 1, 300 do
			task.fork(function()
				results[index] = { cluster.send(peer, 1, filler) }
				done = done + 1
			end)
		end
		local before = node.eventually(function()
			return done > 0 and done
		end, "the first sends")
		assert.is_true(before < 300)
		client:reset()
		node.eventually(function()
			return done == 300
		end, "the end of all senders")
		assert.same({ nil, "closed" }, results[300])
		assert.same({ true, nil }, results[1])
	end))

	it("closing the peer frees the senders that wait for room", async(function()
		local server = raw.listen()
		local peer = node.connect(server.addr)
		local client = server:accept()
		local filler = ("x"):rep(60000)
		local results, done = {}, 0
		for index = 1, 300 do
			task.fork(function()
				results[index] = { cluster.send(peer, index, filler) }
				done = done + 1
			end)
		end
		node.eventually(function()
			return done > 0
		end, "the first sends")
		time.sleep(10)
		cluster.close(peer)
		local queued = 0
		node.eventually(function()
			return done == 300
		end, "the end of all senders")
		for index = 1, 300 do
			if results[index][1] then
				queued = queued + 1
			else
				assert.same({ nil, "closed" }, results[index])
			end
		end
		-- What had been accepted is still delivered.
		local frames = client:frames(queued)
		assert.equal(queued, #frames)
		assert.equal(queued, frames[queued].cmd)
		assert.is_true(client:has_ended())
	end))

	it("a peer that asks for ever and reads no answer is closed, and the log says why", async(function()
		local answer = ("x"):rep(65000)
		local closed
		node.serve({
			call = function()
				return answer
			end,
			close = function(_, errno)
				closed = errno
			end,
		})
		local client = raw.connect(node.listen().addr)
		for session = 1, 1300 do
			client:send(wire.request(session, 1, "x"))
		end
		node.eventually(function()
			return closed
		end, "the close", 15000) -- 64 MiB of answers must be made first
		assert.is_number(closed)
		assert.truthy(log.text():find("closing " .. client:name() .. ": it does not read its answers", 1, true))
	end))

	it("two nodes that flood each other get everything through", async(function()
		local handled, accepted = 0, nil
		node.serve({
			timeout = 15000,
			accept = function(peer)
				accepted = peer
			end,
			call = function(_, _, body)
				handled = handled + 1
				return body
			end,
		})
		local peer = node.pair()
		node.eventually(function()
			return accepted
		end, "the accept")
		local body = ("x"):rep(30000)
		local results = node.crowd(400, function(index)
			return cluster.call(index % 2 == 0 and peer or accepted, 1, body)
		end)
		for index = 1, 400 do
			assert.equal(30000, #results[index][1])
		end
		assert.equal(400, handled)
	end))
end)
