--- TLS with strangers: bounds on handshakes, and bytes that are none.

local cluster = require "silly.net.cluster"
local task = require "silly.task"
local time = require "silly.time"
local certificates = require "spec.support.certificates"
local log = require "spec.support.log"
local node = require "spec.support.node"
local raw = require "spec.support.raw"
local sealed = require "spec.support.sealed"
local shell = require "spec.support.shell"
local wire = require "spec.support.wire"

local option = certificates.option
local told, await_handshakes, hello, relay = sealed.told, sealed.await_handshakes, sealed.hello, sealed.relay

describe("a handshake of TLS", function()
	setup(function()
		certificates.path("") -- what makes them may have to be built, which takes longer than a test may
	end)
	before_each(node.before)
	after_each(node.after)
	teardown(shell.clean)

	it("closes one that never finishes its handshake, after the time that handshake says", async(function()
		node.serve({ handshake = 150 })
		local listener = node.listen(nil, nil, { tls = option("node") })
		local began = hello()
		local accepted
		node.serve({
			handshake = 150,
			accept = function()
				accepted = true
			end,
		})
		for _, bytes in ipairs({ "", began:sub(1, 1), began:sub(1, 60), began }) do
			local client = raw.connect(listener.addr)
			client:send(bytes)
			local took = node.timed(function()
				assert.is_true(client:has_ended())
			end)
			assert.is_true(took >= 140 and took < 1000, took .. " ms")
			told(client:name() .. ": tls: no handshake within 150 ms")
		end
		assert.is_nil(accepted)
		assert.equal(0, cluster.stats().handshakes)
	end))

	it("gives no more time to one whose handshake comes a byte at a time", async(function()
		node.serve({ handshake = 150 })
		local listener = node.listen(nil, nil, { tls = option("node") })
		local began = hello()
		node.serve({ handshake = 150 })
		local client, sent = raw.connect(listener.addr), 0
		local took = node.timed(function()
			repeat
				sent = sent + 1
				client:send(began:sub(sent, sent))
				time.sleep(5)
				client:pull()
			until client.ended or sent == #began
		end)
		assert.is_true(sent > 5 and sent < #began, sent .. " bytes")
		assert.is_true(took >= 140 and took < 1000, took .. " ms")
		told(client:name() .. ": tls: no handshake within 150 ms")
	end))

	it("takes a good handshake, and frames, three bytes at a time", async(function()
		local listener = node.listen(nil, nil, { tls = option("node") })
		local peer = node.connect(relay(listener, function(to, bytes)
			for place = 1, #bytes, 3 do
				to:send(bytes:sub(place, place + 2))
				time.sleep(0)
			end
		end), { tls = option("client") })
		assert.same({ "localhost", "node-1.cluster", "spiffe://cluster/node-1" }, peer.names)
		assert.equal("r:x", (cluster.call(peer, 1, "x")))
	end))

	it("looks at the certificates of one who comes again anew", async(function()
		local listener = node.listen(nil, nil, { tls = option("node") })
		local counts = {}
		for place = 1, 2 do
			local addr, passed = relay(listener)
			local peer = node.connect(addr, { tls = option("client") })
			assert.equal("r:x", (cluster.call(peer, 1, "x")))
			counts[place] = passed
		end
		for _, back in ipairs({ true, false }) do
			assert.is_true(counts[1][back] > 500)
			assert.is_true(counts[2][back] > counts[1][back] - 50, counts[2][back] .. " bytes")
		end
	end))

	it("speaks 1.3 alone", async(function()
		local listener = node.listen(nil, nil, { tls = option("node") })
		-- A hello of 1.2: one suite; groups and signatures that this end has; no word of another version.
		local extensions = "\0\10\0\4\0\2\0\29" .. "\0\13\0\4\0\2\4\3"
		local body = "\3\3" .. ("r"):rep(32) .. "\0" .. "\0\2\192\43" .. "\1\0"
			.. "\0" .. string.char(#extensions) .. extensions
		local message = "\1\0\0" .. string.char(#body) .. body
		local client = raw.connect(listener.addr)
		client:send("\22\3\1\0" .. string.char(#message) .. message)
		assert.is_true(client:has_ended())
		assert.equal("15030300020246", wire.hex(client.arrived)) -- fatal: the version of the protocol
		told(client:name() .. ": tls: ")
	end))

	it("closes one that says something else", async(function()
		local listener = node.listen(nil, nil, { tls = option("node") })
		local began = hello()
		for place, bytes in ipairs({
			"GET / HTTP/1.1\r\n\r\n", wire.request(1, 1, "x"), ("\0"):rep(100), ("\255"):rep(70000),
			began:sub(1, 20) .. ("\255"):rep(#began - 20), began .. began,
		}) do
			local client = raw.connect(listener.addr)
			client:send(bytes)
			assert.is_true(client:has_ended(), place)
		end
		node.eventually(function()
			return cluster.stats().handshakes == 0
		end, "no handshakes")
		assert.equal(0, cluster.stats().connections_in)
		local peer = node.connect(listener.addr, { tls = option("client") })
		assert.equal("r:x", (cluster.call(peer, 1, "x")))
	end))

	it("has no more handshakes at a time than maxhandshakes; the others wait", async(function()
		node.serve({ maxhandshakes = 3, handshake = 400 })
		local listener = node.listen(nil, nil, { tls = option("node") })
		for _ = 1, 3 do
			raw.connect(listener.addr)
		end
		await_handshakes(3)
		local failed = cluster.stats().failed_handshakes
		local took = node.timed(function()
			local peer = node.connect(listener.addr, { tls = option("client") })
			assert.equal("r:x", (cluster.call(peer, 1, "x")))
		end)
		assert.is_true(took >= 200, took .. " ms")
		assert.equal(3, cluster.stats().failed_handshakes - failed)
		assert.equal(0, log.mentions("maxconnections"))
	end))

	it("ends handshakes with their listener, which makes room for those at others", async(function()
		node.serve({ maxhandshakes = 2 })
		local one = node.listen(nil, nil, { tls = option("node") })
		local other = node.listen(nil, nil, { tls = option("node") })
		local silent = { raw.connect(one.addr), raw.connect(one.addr) }
		await_handshakes(2)
		local took = node.timed(function()
			local waiting = task.fork(function()
				time.sleep(50)
				cluster.close(one)
			end)
			assert.truthy(waiting)
			local peer = node.connect(other.addr, { tls = option("client") })
			assert.equal("r:x", (cluster.call(peer, 1, "x")))
		end)
		assert.is_true(took >= 40 and took < 1000, took .. " ms")
		for _, client in ipairs(silent) do
			assert.is_true(client:has_ended())
		end
		assert.equal(0, cluster.stats().handshakes)
	end))

	it("says why it refuses somebody before its listener is closed", async(function()
		local listener = node.listen(nil, nil, { tls = option("node") })
		local client = raw.connect(listener.addr)
		client:send("GET / HTTP/1.1\r\n\r\n")
		told(client:name() .. ": tls: it does not speak TLS")
		assert.equal(1, cluster.stats().handshakes) -- it is listened to, or it could miss the alert
		cluster.close(listener)
		assert.equal(0, cluster.stats().handshakes)
		assert.is_true(client:has_ended())
	end))

	it("lets nobody in whose handshake was under way when a drain began", async(function()
		node.serve({ tls = option("node") })
		local silent = raw.connect(node.listen().addr)
		await_handshakes(1)
		assert.is_true(cluster.drain(500))
		assert.is_true(silent:has_ended())
		assert.equal(0, cluster.stats().handshakes)
	end))

	it("keeps a storm of silent strangers from those who are there, and from the log", async(function()
		node.serve({ maxhandshakes = 50, handshake = 100 })
		local listener = node.listen(nil, 1000, { tls = option("node") })
		local peer = node.connect(listener.addr, { tls = option("client") })
		local failed = cluster.stats().failed_handshakes
		for index = 1, 300 do
			raw.connect(listener.addr)
			if index % 30 == 0 then
				assert.equal("r:x", (cluster.call(peer, 1, "x")))
				assert.is_true(cluster.stats().handshakes <= 50)
			end
		end
		local late = node.connect(listener.addr, { tls = option("client"), shared = false })
		assert.equal("r:x", (cluster.call(late, 1, "x")))
		node.eventually(function()
			return cluster.stats().failed_handshakes - failed == 300
		end, "the ends")
		local lines = log.mentions("no handshake within")
		assert.is_true(lines >= 1 and lines <= 60, lines .. " lines")
		node.eventually(function()
			raw.connect(listener.addr):send("GET / HTTP/1.1\r\n\r\n")
			return log.mentions("more were refused since") >= 1
		end, "the number of the others")
	end))

	it("counts those in their handshakes as connections", async(function()
		node.serve({ maxperhost = 2, handshake = 300 })
		local listener = node.listen(nil, nil, { tls = option("node") })
		local silent = { raw.connect(listener.addr), raw.connect(listener.addr) }
		await_handshakes(2)
		local third = raw.connect(listener.addr)
		assert.is_true(third:has_ended())
		told("as many as maxperhost allows")
		for _, client in ipairs(silent) do
			client:close()
		end
		await_handshakes(0)
		local peer = node.connect(listener.addr, { tls = option("client") })
		assert.equal("r:x", (cluster.call(peer, 1, "x")))
	end))

	it("counts them for maxconnections, too", async(function()
		node.serve({ maxconnections = 2, handshake = 300 })
		local listener = node.listen(nil, nil, { tls = option("node") })
		local peer = node.connect(listener.addr, { tls = option("client") })
		local silent = raw.connect(listener.addr)
		await_handshakes(1)
		local refused = cluster.stats().refused_connections
		assert.is_true(raw.connect(listener.addr):has_ended())
		assert.equal(1, cluster.stats().refused_connections - refused)
		assert.is_true(silent:has_ended())
		local late = node.connect(listener.addr, { tls = option("client"), shared = false })
		assert.equal("r:x", (cluster.call(late, 1, "x")))
		assert.equal("r:x", (cluster.call(peer, 1, "x")))
	end))

	it("lets listeners take turns at the room for handshakes", async(function()
		node.serve({ maxhandshakes = 2, handshake = 100 })
		local busy = node.listen(nil, 1000, { tls = option("node") })
		local others = {}
		for index = 1, 2 do
			others[index] = node.listen(nil, nil, { tls = option("node") })
		end
		for _ = 1, 100 do -- five seconds of silence, should the first one have all of it
			raw.connect(busy.addr)
		end
		await_handshakes(2)
		for _, other in ipairs(others) do
			local took = node.timed(function()
				local peer = node.connect(other.addr, { tls = option("client") })
				assert.equal("r:x", (cluster.call(peer, 1, "x")))
			end)
			assert.is_true(took < 1000, took .. " ms")
		end
	end))

	it("lets others begin at once when serve allows more", async(function()
		node.serve({ maxhandshakes = 1, handshake = 10000 })
		local listener = node.listen(nil, nil, { tls = option("node") })
		raw.connect(listener.addr)
		await_handshakes(1)
		raw.connect(listener.addr)
		time.sleep(20)
		assert.equal(1, cluster.stats().handshakes)
		node.serve({ maxhandshakes = 2 })
		await_handshakes(2)
	end))

	it("ends a dial to one that never answers within the time of serve", async(function()
		node.serve({ timeout = 200 })
		local server = raw.listen()
		local peer
		local took = node.timed(function()
			peer = node.connect(server.addr, { tls = option("client") })
			assert.same({ nil, "timeout" }, { cluster.call(peer, 1, "x") })
		end)
		assert.is_nil(peer.fd)
		assert.is_true(took >= 380 and took < 1500, took .. " ms")
	end))

	it("does not say that nothing was carried out where bytes have been spoiled", async(function()
		local handled = 0
		node.serve({
			call = function()
				handled = handled + 1
				task.wait() -- for ever
			end,
		})
		local spoil
		local addr = relay(node.listen(nil, nil, { tls = option("node") }), function(to, bytes)
			to:send(bytes)
			if spoil then
				spoil = false
				to:send("\23\3\3\0\32" .. ("x"):rep(32))
			end
		end)
		-- Nothing has come back on this connection before.
		local peer = node.connect(addr, { tls = option("client") })
		assert.is_true(cluster.send(peer, 1, "x"))
		node.eventually(function()
			return handled == 1
		end, "the message")
		local outcome
		task.fork(function()
			outcome = { cluster.call(peer, 1, "y") }
		end)
		node.eventually(function()
			return handled == 2
		end, "the call")
		spoil = true
		assert.is_true(cluster.send(peer, 1, "x")) -- has the relay at work
		node.eventually(function()
			return outcome
		end, "the end")
		assert.same({ nil, "closed" }, outcome)
	end))

	it("closes a connection whose bytes do not fit, and fails what waits on it", async(function()
		local listener = node.listen(nil, nil, { tls = option("node") })
		local handled, ended
		node.serve({
			call = function(_, _, body)
				handled = body
				return "r:" .. body
			end,
			close = function(peer, errno)
				ended = ended or { peer.addr or "in", errno }
			end,
		})
		for _, spoils_back in ipairs({ true, false }) do
			local spoil
			local addr = relay(listener, function(to, bytes, back)
				if spoil and back == spoils_back then
					bytes = bytes:sub(1, -2) .. string.char((bytes:byte(-1) + 1) % 256)
				end
				to:send(bytes)
			end)
			local peer = node.connect(addr, { tls = option("client") })
			assert.equal("r:x", (cluster.call(peer, 1, "x")))
			spoil, ended = true, nil
			assert.same({ nil, "closed" }, { cluster.call(peer, 1, "y") })
			node.eventually(function()
				return ended
			end, "a close")
			assert.same({ spoils_back and addr or "in", 71 }, ended)
			assert.equal(spoils_back and "y" or "x", handled)
			told("closing " .. (spoils_back and addr or "127.0.0.1:"))
			assert.equal(1, log.mentions(": tls: cannot decrypt peer's message"))
			handled = nil
			log.capture()
		end
	end))
end)
