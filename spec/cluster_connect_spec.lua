--- Handles: one per address, their dials, and how they come back.

local cluster = require "silly.net.cluster"
local task = require "silly.task"
local time = require "silly.time"
local node = require "spec.support.node"
local raw = require "spec.support.raw"
local wire = require "spec.support.wire"

local function refused(addr)
	return "connect " .. addr .. ": Connection refused"
end

describe("cluster.connect", function()
	before_each(node.before)
	after_each(node.after)

	it("gives a handle with its address, connected", async(function()
		local listener = node.listen()
		assert.equal(1, select("#", cluster.connect(listener.addr)))
		local peer = node.connect(listener.addr)
		assert.equal(listener.addr, peer.addr)
		assert.is_true(math.floor(peer.fd) == peer.fd)
	end))

	it("C13: a handle whose first dial fails connects once somebody listens", async(function()
		local closed
		node.serve({
			close = function()
				closed = true
			end,
		})
		local addr = raw.dead_address()
		local peer = node.connect(addr)
		assert.equal(addr, peer.addr)
		assert.is_nil(peer.fd)
		assert.same({ nil, refused(addr) }, { cluster.call(peer, 1, "hi") })
		node.listen(addr)
		assert.equal("r:hi", node.eventually(function()
			return (cluster.call(peer, 1, "hi"))
		end))
		assert.is_number(peer.fd)
		assert.is_nil(closed)
	end))

	it("C14: connect twice to one address gives one handle, after a close another", async(function()
		local listener = node.listen()
		local peer = node.connect(listener.addr)
		assert.equal(peer, node.connect(listener.addr))
		cluster.close(peer)
		local other = node.connect(listener.addr)
		assert.not_equal(peer, other)
		assert.equal(other, node.connect(listener.addr))
		assert.same({ nil, "peer closed" }, { cluster.call(peer, 1, "x") })
		assert.equal("r:x", (cluster.call(other, 1, "x")))
	end))

	it("C14: two tasks at once get one handle and one connection", async(function()
		local accepts = 0
		node.serve({
			accept = function()
				accepts = accepts + 1
			end,
		})
		local addr = node.listen().addr
		local results = node.crowd(20, function()
			local peer = node.connect(addr)
			return peer, peer.fd
		end)
		for index = 1, 20 do
			assert.equal(results[1][1], results[index][1])
			assert.is_number(results[index][2])
		end
		cluster.call(results[1][1], 1, "x")
		assert.equal(1, accepts)
	end))

	it("C14: also while the first dial gets no answer", async(function()
		node.serve({ timeout = 60 })
		local server = raw.silent_server()
		local results = node.crowd(3, function()
			return node.timed(node.connect, server.addr)
		end)
		for index = 1, 3 do
			assert.equal(results[1][2], results[index][2])
			assert.is_true(results[index][1] >= 59 and results[index][1] < 1000, results[index][1])
		end
	end))

	it("shared = false gives a handle of one's own", async(function()
		local accepts = 0
		node.serve({
			accept = function()
				accepts = accepts + 1
			end,
		})
		local addr = node.listen().addr
		local shared = node.connect(addr)
		local own = node.connect(addr, { shared = false })
		local another = node.connect(addr, { shared = false })
		assert.equal(shared, node.connect(addr))
		assert.equal(shared, node.connect(addr, { shared = true }))
		assert.equal(shared, node.connect(addr, {}))
		assert.not_equal(shared, own)
		assert.not_equal(own, another)
		for _, peer in ipairs({ shared, own, another }) do
			assert.equal("r:x", (cluster.call(peer, 1, "x")))
		end
		assert.equal(3, accepts)
		cluster.close(own)
		assert.equal(shared, node.connect(addr))
	end))

	it("C15: a handle whose connection the other end closed connects again", async(function()
		local accepts, closes, accepted = 0, {}, nil
		node.serve({
			accept = function(peer)
				accepts = accepts + 1
				accepted = peer
			end,
			close = function(peer, errno)
				closes[#closes + 1] = { peer, peer.addr, tostring(peer.fd), errno }
			end,
		})
		local peer, listener = node.pair()
		assert.equal("r:1", (cluster.call(peer, 1, "1")))
		cluster.close(accepted)
		node.eventually(function()
			return #closes == 1
		end, "the close callback")
		assert.same({ { peer, listener.addr, "nil", 0 } }, closes)
		assert.equal(peer, node.connect(listener.addr))
		assert.is_nil(peer.fd)
		assert.equal("r:2", (cluster.call(peer, 1, "2")))
		assert.is_number(peer.fd)
		assert.equal(2, accepts)
	end))

	it("C15: it may call right inside the close callback", async(function()
		local accepted, answer
		node.serve({
			accept = function(peer)
				accepted = peer
			end,
			close = function(peer)
				answer = cluster.call(peer, 1, "back")
			end,
		})
		local peer = node.pair()
		cluster.call(peer, 1, "x")
		cluster.close(accepted)
		node.eventually(function()
			return answer == "r:back"
		end, "the call of the close callback")
	end))

	it("many callers on a dropped handle share one dial", async(function()
		local server = raw.listen()
		local peer = node.connect(server.addr)
		local first = server:accept()
		first:close()
		node.eventually(function()
			return not peer.fd
		end, "the drop")
		local accepts = 0
		task.fork(function()
			local client = server:accept()
			accepts = accepts + 1
			for _ = 1, 100 do
				client:send(wire.response(client:frame().session, "yes"))
			end
		end)
		local results = node.crowd(100, function()
			return cluster.call(peer, 1, "x")
		end)
		for index = 1, 100 do
			assert.same({ "yes", nil }, results[index])
		end
		assert.equal(1, accepts)
		assert.is_nil(server:accept(30))
	end))

	it("all that wait for one dial hear why it failed", async(function()
		local addr = raw.dead_address()
		local peer = { addr = addr }
		local results = node.crowd(50, function()
			return cluster.call(peer, 1, "x")
		end)
		for index = 1, 50 do
			assert.same({ nil, refused(addr) }, { results[index][1], results[index][2] })
		end
		cluster.close(peer)
	end))

	it("after failed dials the next ones fail at once, for longer and longer", async(function()
		local addr = raw.dead_address()
		local peer = { addr = addr }
		-- The fourth failure in a row is remembered for 400 ms.
		for failure = 1, 4 do
			assert.same({ nil, refused(addr) }, { cluster.call(peer, 1, "x") })
			if failure < 4 then
				time.sleep(50 * 2 ^ (failure - 1) + 5)
			end
		end
		local failed = time.monotonic()
		node.listen(addr)
		for _ = 1, 20 do
			assert.same({ nil, refused(addr) }, { cluster.call(peer, 1, "x") })
		end
		local quick = time.monotonic() - failed
		assert.is_true(quick < 400, quick)
		assert.equal("r:x", node.eventually(function()
			return (cluster.call(peer, 1, "x"))
		end))
		local took = time.monotonic() - failed
		assert.is_true(took >= 390 and took < 2000, took)
		cluster.close(peer)
	end))

	it("a success ends the pauses", async(function()
		local addr = raw.dead_address()
		local peer = { addr = addr }
		assert.is_nil((cluster.call(peer, 1, "x")))
		local listener = node.listen(addr)
		node.eventually(function()
			return cluster.call(peer, 1, "x")
		end)
		cluster.close(listener)
		cluster.close(peer)
	end))

	it("a closed handle never connects again", async(function()
		local peer = node.pair()
		cluster.close(peer)
		assert.is_nil(peer.fd)
		for _ = 1, 3 do
			assert.same({ nil, "peer closed" }, { cluster.call(peer, 1, "x") })
			assert.same({ nil, "peer closed" }, { cluster.send(peer, 1, "x") })
			cluster.close(peer)
		end
	end))

	it("closing a handle while it dials frees everybody who waits for it", async(function()
		local server = raw.silent_server()
		local results, done = {}, 0
		local peer
		task.fork(function()
			peer = node.connect(server.addr)
			results[5] = { cluster.call(peer, 1, "x") }
			done = done + 1
		end)
		time.sleep(5)
		local other
		for index = 1, 4 do
			task.fork(function()
				other = other or { addr = server.addr } -- the same handle, by its address
				local ask = index < 3 and cluster.call or cluster.send
				results[index] = { ask(other, 1, "x") }
				done = done + 1
			end)
		end
		time.sleep(5)
		assert.equal(0, done)
		cluster.close(other)
		node.eventually(function()
			return done == 5
		end, "the end of the calls", 500)
		for index = 1, 5 do
			assert.same({ nil, "peer closed" }, results[index])
		end
		assert.same({ nil, "peer closed" }, { cluster.call(other, 1, "x") })
		assert.same({ nil, "peer closed" }, { cluster.call(peer, 1, "x") })
	end))

	it("a connect that is waiting returns when another task closes its handle", async(function()
		local server = raw.silent_server()
		local peer, took
		task.fork(function()
			took, peer = node.timed(cluster.connect, server.addr)
		end)
		time.sleep(5)
		-- The same handle, by its address.
		local same
		task.fork(function()
			same = cluster.connect(server.addr)
		end)
		time.sleep(5)
		assert.is_nil(peer)
		node.serve({ timeout = 20 })
		local third = cluster.connect(server.addr)
		cluster.close(third)
		node.eventually(function()
			return peer and same
		end, "the end of both connects", 500)
		assert.is_true(took < 1000)
		assert.equal(third, peer)
		assert.equal(third, same)
		assert.same({ nil, "peer closed" }, { cluster.call(peer, 1, "x") })
	end))

	it("a dial is given up when nobody waits for it any more", async(function()
		local server = raw.silent_server()
		local peer = { addr = server.addr }
		local results = node.crowd(3, function(index)
			return cluster.call(peer, 1, "x", index * 20)
		end)
		for index = 1, 3 do
			assert.same({ nil, "timeout" }, { results[index][1], results[index][2] })
		end
		server:accept()
		assert.is_nil(server:accept(1300))
		cluster.close(peer)
	end))

	it("speaks IPv6", async(function()
		local from
		node.serve({
			accept = function(_, addr)
				from = addr
			end,
		})
		local listener = node.listen("[::1]:0")
		assert.truthy(listener.addr:find("^%[::1%]:%d+$"))
		local peer = node.connect(listener.addr)
		assert.equal("r:x", (cluster.call(peer, 1, "x")))
		assert.truthy(from:find("^%[::1%]:%d+$"))
	end))

	it("looks names up", async(function()
		local listener = node.listen()
		local peer = node.connect("localhost:" .. listener.addr:match("%d+$"))
		assert.equal("r:x", (cluster.call(peer, 1, "x")))
	end))

	it("finds a listener behind the second address of a name", async(function()
		local listener = cluster.listen("[::1]:0")
		local peer = node.connect("localhost:" .. listener.addr:match("%d+$"))
		local answer, why = cluster.call(peer, 1, "x")
		cluster.close(listener)
		if why then
			-- Where localhost has one address only, that one is named.
			assert.truthy(why:find("^connect 127.0.0.1:%d+: Connection refused$"), why)
		else
			assert.equal("r:x", answer)
		end
	end))

	it("gives a handle for a name that nobody knows, and its calls the reason", async(function()
		node.serve({ timeout = 1000 })
		local peer = node.connect("no-such-host.invalid:80")
		assert.equal("no-such-host.invalid:80", peer.addr)
		assert.is_nil(peer.fd)
		local answer, why = cluster.call(peer, 1, "x")
		assert.is_nil(answer)
		assert.truthy(why == "timeout" or why:find("no-such-host.invalid", 1, true), why)
	end))
end)
