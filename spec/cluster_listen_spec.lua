--- Listeners, and the callback for what they take in.

local cluster = require "silly.net.cluster"
local silly = require "silly"
local task = require "silly.task"
local time = require "silly.time"
local log = require "spec.support.log"
local node = require "spec.support.node"
local raw = require "spec.support.raw"
local wire = require "spec.support.wire"

describe("cluster.listen", function()
	before_each(node.before)
	after_each(node.after)

	it("needs no task, and tells the address really bound", function()
		local listener = node.listen("127.0.0.1:0")
		assert.truthy(listener.addr:find("^127%.0%.0%.1:[1-9]%d*$"))
		assert.is_number(listener.fd)
		local any = node.listen(":0")
		assert.truthy(any.addr:find("^0%.0%.0%.0:[1-9]%d*$"))
	end)

	it("C28: twice on one address is told and logged; after a close it is free", async(function()
		local listener = node.listen()
		local addr = listener.addr
		local other, why = cluster.listen(addr)
		assert.is_nil(other)
		assert.equal("listen " .. addr .. ": Address already in use", why)
		assert.equal(1, log.count("E"))
		cluster.close(listener)
		assert.is_nil(listener.fd)
		cluster.close(listener)
		node.listen(addr)
		local peer = node.connect(addr)
		assert.equal("r:x", (cluster.call(peer, 1, "x")))
	end))

	it("C28: the address is free at once though a connection of it lives, or lingers", async(function()
		local accepted
		node.serve({
			accept = function(peer)
				accepted = peer
			end,
		})
		local peer, listener = node.pair()
		cluster.call(peer, 1, "x")
		cluster.close(listener)
		cluster.close(accepted)
		node.listen(listener.addr)
		assert.equal("r:y", node.eventually(function()
			return (cluster.call(peer, 1, "y"))
		end))
	end))

	it("an address of another machine is told", function()
		local listener, why = cluster.listen("192.0.2.1:0")
		assert.is_nil(listener)
		assert.equal("listen 192.0.2.1:0: Cannot assign requested address", why)
	end)

	it("C29: closing a listener leaves its connections alone and refuses new ones", async(function()
		local peer, listener = node.pair()
		assert.equal("r:1", (cluster.call(peer, 1, "1")))
		cluster.close(listener)
		assert.equal("r:2", (cluster.call(peer, 1, "2")))
		local late = node.connect(listener.addr, { shared = false })
		assert.same({ nil, "connect " .. late.addr .. ": Connection refused" }, { cluster.call(late, 1, "x") })
		cluster.close(late)
	end))

	it("closing a listener drops those who wait to be accepted, silently", async(function()
		local accepts = 0
		node.serve({
			accept = function()
				accepts = accepts + 1
			end,
		})
		local listener = node.listen("127.0.0.1:0", 16)
		local clients = {}
		for index = 1, 10 do
			clients[index] = raw.connect(listener.addr) -- the loop does not run meanwhile
			clients[index]:send(wire.request(index, 1, "x"))
		end
		cluster.close(listener)
		for index = 1, 10 do
			assert.is_true(clients[index]:has_ended())
		end
		assert.equal(0, accepts)
		assert.equal("", log.text())
	end))

	it("takes a small backlog", async(function()
		local listener = node.listen("127.0.0.1:0", 1)
		for _ = 1, 5 do
			local peer = node.connect(listener.addr, { shared = false })
			assert.equal("r:x", (cluster.call(peer, 1, "x")))
		end
	end))

	it("tells accept the peer and its ip:port", async(function()
		local got
		node.serve({
			accept = function(...)
				got = { select("#", ...), ... }
			end,
		})
		local client = raw.connect(node.listen().addr)
		node.eventually(function()
			return got
		end, "the accept")
		assert.equal(2, got[1])
		assert.equal(client:name(), got[3])
		assert.is_number(got[2].fd)
		assert.is_nil(got[2].addr)
	end))

	it("gives accept, the handler and close the same table", async(function()
		local seen = {}
		node.serve({
			accept = function(peer)
				peer.mine = "kept"
				seen.accept = peer
			end,
			call = function(peer)
				seen.call = peer
				return "x"
			end,
			close = function(peer)
				seen.close = peer
			end,
		})
		local client = raw.connect(node.listen().addr)
		client:send(wire.request(0, 1, "x"))
		client:frame()
		client:close()
		node.eventually(function()
			return seen.close
		end, "the close")
		assert.equal(seen.accept, seen.call)
		assert.equal(seen.accept, seen.close)
		assert.equal("kept", seen.close.mine)
		assert.is_nil(seen.close.fd)
	end))

	it("C23: an accept that raises is logged and closes its connection", async(function()
		local closed, guest
		node.serve({
			accept = function(peer)
				guest = peer
				error("not welcome")
			end,
			close = function(peer, errno)
				closed = { peer, errno }
			end,
		})
		local peer = node.pair()
		local took, answer, why = node.timed(cluster.call, peer, 1, "x")
		assert.is_nil(answer)
		assert.equal("closed", why)
		assert.is_true(took < 1000)
		assert.same({ peer, 0 }, closed)
		assert.is_nil(guest.fd)
		assert.same({ nil, "peer closed" }, { cluster.call(guest, 1, "x") })
		assert.equal(1, log.count("E"))
		assert.truthy(log.text():find("cluster_listen_spec.lua:%d+: not welcome"))
	end))

	it("C23: also when it raises only after a while", async(function()
		node.serve({
			accept = function()
				time.sleep(20)
				error("not welcome")
			end,
		})
		local client = raw.connect(node.listen().addr)
		client:send(wire.request(0, 1, "x"))
		assert.equal("r:x", client:frame().data)
		assert.is_true(client:has_ended())
	end))

	it("C24: requests are served while accept waits", async(function()
		local waiting, ended
		node.serve({
			accept = function()
				waiting = task.running()
				task.wait()
				ended = true
			end,
		})
		local peer = node.pair()
		assert.equal("r:x", (cluster.call(peer, 1, "x")))
		assert.is_nil(ended)
		task.wakeup(waiting)
		node.eventually(function()
			return ended
		end, "the end of accept")
	end))

	it("takes 400 connections at once", async(function()
		local accepts = 0
		node.serve({
			accept = function()
				accepts = accepts + 1
			end,
		})
		local listener = node.listen("127.0.0.1:0", 1024)
		local results = node.crowd(400, function()
			local peer = node.connect(listener.addr, { shared = false })
			return cluster.call(peer, 1, "x")
		end)
		for index = 1, 400 do
			assert.equal("r:x", results[index][1])
		end
		assert.equal(400, accepts)
	end))

	it("runs with silly.step(0) alone", function()
		local peer, answer
		local listener = node.listen()
		task.fork(function()
			peer = node.connect(listener.addr)
			answer = cluster.call(peer, 1, "x")
		end)
		local deadline = os.time() + 5
		while not answer and os.time() <= deadline do
			assert.is_true(silly.step(0))
		end
		assert.equal("r:x", answer)
	end)
end)
