--- Ends of connections: who is told what, and closes at every moment.

local cluster = require "silly.net.cluster"
local task = require "silly.task"
local time = require "silly.time"
local log = require "spec.support.log"
local node = require "spec.support.node"
local raw = require "spec.support.raw"
local wire = require "spec.support.wire"

describe("cluster.close", function()
	before_each(node.before)
	after_each(node.after)

	it("C16: tells the other end only, which cannot call back any more", async(function()
		local closes, accepted = {}, nil
		node.serve({
			accept = function(peer)
				accepted = peer
			end,
			close = function(...)
				closes[#closes + 1] = { select("#", ...), ... }
			end,
		})
		local peer = node.pair()
		cluster.call(peer, 1, "x")
		cluster.close(peer)
		node.eventually(function()
			return #closes > 0
		end, "the close callback")
		time.sleep(20)
		assert.same({ { 2, accepted, 0 } }, closes)
		assert.is_nil(accepted.fd)
		assert.same({ nil, "peer closed" }, { cluster.call(accepted, 1, "x") })
		assert.same({ nil, "peer closed" }, { cluster.send(accepted, 1, "x") })
	end))

	it("C16: a peer that cannot call any more is not connected, even before its close callback", async(function()
		local accepted, closed
		node.serve({
			accept = function(peer)
				accepted = peer
			end,
			close = function()
				closed = true
			end,
		})
		local client = raw.connect(node.listen().addr)
		node.eventually(function()
			return accepted
		end, "the connection")
		local seen
		task.fork(function()
			cluster.call(accepted, 1, "x")
			-- The end has come with the answer, but its turn has not.
			local _, why = cluster.call(accepted, 1, "y")
			seen = { why = why, fd = accepted.fd, closed = closed }
		end)
		local asked = client:frame()
		client:send(wire.response(asked.session, "the last answer"))
		client:close()
		while not seen do
			-- Both are there before the next look at the network.
			time.sleep(0)
		end
		assert.same({ why = "peer closed" }, seen)
	end))

	it("C17: a reset is told as the integer 104, once", async(function()
		local closes = {}
		node.serve({
			close = function(_, errno)
				closes[#closes + 1] = errno
			end,
		})
		local client = raw.connect(node.listen().addr)
		client:send(wire.request(0, 1, "x"))
		client:frame()
		client:reset()
		node.eventually(function()
			return #closes > 0
		end, "the close callback")
		time.sleep(10)
		assert.same({ 104 }, closes)
		assert.equal("104", ("%d"):format(closes[1]))
		assert.equal("104", tostring(closes[1]))
		if math.type then
			assert.equal("integer", math.type(closes[1]))
		end
	end))

	it("C18: calls in flight fail at once when the other end closes, after the close callback", async(function()
		local order = {}
		node.serve({
			close = function()
				order[#order + 1] = "close"
			end,
		})
		local server = raw.listen()
		local peer = node.connect(server.addr)
		local client = server:accept()
		task.fork(function()
			for _ = 1, 50 do
				client:frame()
			end
			client:close()
		end)
		local began = time.monotonic()
		local results = node.crowd(50, function()
			local answer, why = cluster.call(peer, 1, "x")
			order[#order + 1] = "call"
			return answer, why
		end)
		assert.is_true(time.monotonic() - began < 1000)
		for index = 1, 50 do
			assert.same({ nil, "closed" }, { results[index][1], results[index][2] })
		end
		assert.equal("close", order[1])
		assert.equal(51, #order)
	end))

	it("C18: also on a reset, and when this end closes", async(function()
		local server = raw.listen()
		for _, way in ipairs({ "reset", "own" }) do
			local peer = node.connect(server.addr, { shared = false })
			local client = server:accept()
			task.fork(function()
				client:frame()
				if way == "reset" then
					client:reset()
				else
					cluster.close(peer)
				end
			end)
			local took, answer, why = node.timed(cluster.call, peer, 1, "x")
			assert.same({ nil, "closed" }, { answer, why })
			assert.is_true(took < 1000)
		end
	end))

	it("takes a table that never was connected, twice, but nothing else", function()
		cluster.close({})
		local peer = {}
		cluster.close(peer)
		cluster.close(peer)
	end)

	it("knows the handle's address by itself, whatever the script does to peer.addr", async(function()
		local accepted
		node.serve({
			accept = function(peer)
				accepted = peer
			end,
		})
		local peer, listener = node.pair()
		assert.equal("r:x", (cluster.call(peer, 1, "x")))
		peer.addr = nil
		cluster.close(accepted)
		node.eventually(function()
			return not peer.fd
		end, "the end of the connection")
		assert.equal("r:y", (cluster.call(peer, 1, "y")))
		assert.is_truthy(peer.fd)
		cluster.close(peer)
		assert.are_not.equal(peer, node.connect(listener.addr))
		assert.equal(0, log.count("E"))
	end))

	it("what arrived before the end is handled before the close callback", async(function()
		local order = {}
		node.serve({
			call = function(_, _, body)
				order[#order + 1] = body
			end,
			close = function(_, errno)
				order[#order + 1] = errno
			end,
		})
		local listener = node.listen()
		for _, way in ipairs({ "close", "reset" }) do
			order = {}
			local client = raw.connect(listener.addr)
			for session = 1, 5 do
				client:send(wire.request(session, 1, tostring(session)))
			end
			client[way](client)
			node.eventually(function()
				return #order == 6
			end, "five requests and the end by " .. way)
			assert.same({ "1", "2", "3", "4", "5", way == "close" and 0 or 104 }, order)
		end
	end))

	it("also when this end notices the reset by writing first", async(function()
		local order, first = {}, nil
		node.serve({
			call = function(_, _, body)
				order[#order + 1] = body
				if body == "1" then
					first = task.running()
					task.wait()
				end
				return ("x"):rep(20000)
			end,
			close = function(_, errno)
				order[#order + 1] = errno
			end,
		})
		local client = raw.connect(node.listen().addr)
		client:send(wire.request(1, 1, "1"))
		node.eventually(function()
			return first
		end, "the first request")
		for session = 2, 5 do
			client:send(wire.request(session, 1, tostring(session)))
		end
		client:reset()
		task.wakeup(first) -- its answer is written before the rest is read
		node.eventually(function()
			return type(order[#order]) == "number"
		end, "the end")
		assert.same({ "1", "2", "3", "4", "5", 104 }, order)
	end))

	it("an answer that came just before the end still reaches its caller", async(function()
		local server = raw.listen()
		local peer = node.connect(server.addr)
		local client = server:accept()
		task.fork(function()
			local frame = client:frame()
			client:send(wire.response(frame.session, "yes"))
			client:close()
		end)
		assert.same({ "yes", nil }, { cluster.call(peer, 1, "x") })
	end))

	it("a handler whose caller has gone runs to its end; its answer is dropped", async(function()
		local handler, seen
		node.serve({
			call = function(peer)
				handler = task.running()
				task.wait()
				seen = { tostring(peer.fd), cluster.call(peer, 1, "back") }
				return "for nobody"
			end,
		})
		local client = raw.connect(node.listen().addr)
		client:send(wire.request(0, 1, "x"))
		node.eventually(function()
			return handler
		end, "the request")
		local closed
		node.serve({
			close = function()
				closed = true
			end,
		})
		client:close()
		node.eventually(function()
			return closed
		end, "the close")
		task.wakeup(handler)
		time.sleep(0)
		assert.same({ "nil", nil, "peer closed" }, seen)
		assert.equal("", log.text())
	end))

	it("the answer of a handler goes to the connection of its request, never to the next", async(function()
		local handler
		node.serve({
			call = function(_, _, body)
				if body == "wait" then
					handler = task.running()
					task.wait()
				end
				return "r:" .. body
			end,
		})
		local server = raw.listen()
		local peer = node.connect(server.addr)
		local first = server:accept()
		first:send(wire.request(5, 1, "wait"))
		node.eventually(function()
			return handler
		end, "the request")
		first:close()
		node.eventually(function()
			return not peer.fd
		end, "the drop")
		assert.is_true(cluster.send(peer, 1, "again"))
		local second = server:accept()
		assert.equal("again", second:frame().data)
		task.wakeup(handler)
		assert.is_true(second:is_silent(30))
	end))

	it("closing the peer inside its own handler ends the connection, without an answer", async(function()
		node.serve({
			call = function(peer)
				cluster.close(peer)
				assert(peer.fd == nil)
				return "for nobody"
			end,
		})
		local peer = node.pair()
		assert.same({ nil, "closed" }, { cluster.call(peer, 1, "x") })
		assert.equal("", log.text())
	end))

	it("closing the peer inside accept ends the connection before any request is handled", async(function()
		local handled, closes
		node.serve({
			accept = function(peer)
				cluster.close(peer)
				cluster.close(peer)
			end,
			call = function()
				handled = true
			end,
			close = function()
				closes = true
			end,
		})
		local client = raw.connect(node.listen().addr)
		client:send(wire.request(0, 1, "x"))
		assert.is_true(client:has_ended())
		assert.is_nil(handled)
		assert.is_nil(closes)
	end))

	it("requests that came in one piece with the one that closes are not handled", async(function()
		local handled = {}
		node.serve({
			call = function(peer, _, body)
				handled[#handled + 1] = body
				if body == "2" then
					cluster.close(peer)
				end
				return "r:" .. body
			end,
		})
		local client = raw.connect(node.listen().addr)
		client:send(wire.request(1, 1, "1") .. wire.request(2, 1, "2") .. wire.request(3, 1, "3"))
		assert.equal("r:1", client:frame().data)
		assert.is_true(client:has_ended())
		assert.same({ "1", "2" }, handled)
	end))

	it("a close callback that closes, calls, or raises disturbs nobody", async(function()
		local server = raw.listen()
		local other = node.pair()
		local act, acted
		node.serve({
			close = function(peer)
				acted = true
				act(peer)
			end,
		})
		for _, deed in ipairs({
			cluster.close,
			function(peer)
				cluster.close(peer)
				assert(select(2, cluster.call(peer, 1, "x")) == "peer closed")
			end,
			function()
				error("broken callback")
			end,
		}) do
			act, acted = deed, nil
			local peer = node.connect(server.addr, { shared = false })
			server:accept():close()
			node.eventually(function()
				return acted
			end, "the close callback")
			assert.is_nil(peer.fd)
			assert.equal("r:x", (cluster.call(other, 1, "x")))
		end
		assert.equal(1, log.count("E"))
		assert.truthy(log.text():find("cluster_close_spec.lua:%d+: broken callback"))
	end))

	it("both ends at once", async(function()
		local closes, accepted = 0, nil
		node.serve({
			accept = function(peer)
				accepted = peer
			end,
			close = function()
				closes = closes + 1
			end,
		})
		local peer = node.pair()
		cluster.call(peer, 1, "x")
		cluster.close(peer)
		cluster.close(accepted)
		time.sleep(20)
		assert.equal(0, closes)
		assert.equal("", log.text())
	end))

	it("ends a connection whose other end never closes, within its bound", async(function()
		local server = raw.listen()
		local peer = node.connect(server.addr)
		local client = server:accept()
		cluster.send(peer, 1, "last")
		cluster.close(peer)
		assert.equal("last", client:frame().data)
		assert.is_true(client:has_ended())
		client:send(wire.request(0, 1, "too late"))
		assert.is_true(client.sock:send("x") ~= nil)
	end))
end)
