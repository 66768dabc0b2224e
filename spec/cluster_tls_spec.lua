--- TLS between nodes: who is let in, who is connected to, and what both are told.

local cluster = require "silly.net.cluster"
local dns = require "silly.net.dns"
local task = require "silly.task"
local time = require "silly.time"
local helper = require "spec.helper"
local certificates = require "spec.support.certificates"
local log = require "spec.support.log"
local node = require "spec.support.node"
local raw = require "spec.support.raw"
local servers = require "spec.support.dns"
local shell = require "spec.support.shell"
local wire = require "spec.support.wire"

local option = certificates.option

--- Waits for a line in the log: a connection ends a moment before the log says why.
local function told(text)
	assert(raw.poll(function()
		return log.mentions(text) > 0
	end), "the log does not say: " .. text .. "\n" .. log.text())
end

--- Waits until so many handshakes are under way.
local function await_handshakes(count)
	node.eventually(function()
		return cluster.stats().handshakes == count
	end, count .. " handshakes")
end

--- A handle of its own with the given option on a listener with another one.
local function pair(theirs, ours)
	local listener = node.listen(nil, nil, { tls = theirs })
	return node.connect(listener.addr, { tls = ours, shared = false }), listener
end

--- Demands that a call gets no further than a reason that has a text in it.
local function fails(peer, text)
	local answer, why = cluster.call(peer, 1, "x")
	assert.is_nil(answer)
	assert.equal(peer.addr:match("%d+$"), why:match("^connect 127%.0%.0%.1:(%d+): "))
	assert.truthy(why:find(text, 1, true), why)
end

--- The bytes of a client's hello, as a raw peer is given them.
local function hello()
	local server = raw.listen()
	node.serve({ timeout = 20 })
	local peer = node.connect(server.addr, { tls = option("client"), shared = false })
	node.serve()
	local there = server:accept()
	node.eventually(function()
		there:pull()
		return #there.arrived > 100
	end, "a hello")
	cluster.close(peer)
	return there.arrived
end

--- Puts a relay of bytes before a listener: its address, and how many it has passed on, to the listener and
--- back. `pass` passes on some, where they are not to arrive as they are.
---@param pass? fun(to: table, bytes: string, back: boolean)
local function relay(listener, pass)
	local server, passed = raw.listen(), { [true] = 0, [false] = 0 }
	local work = task.fork(function()
		local there = server:accept()
		local here = raw.connect(listener.addr)
		while not (there.ended or here.ended) do
			for from, to in pairs({ [there] = here, [here] = there }) do
				from:pull()
				local bytes, back = from.arrived, from == here
				if #bytes > 0 then
					from.arrived = ""
					passed[back] = passed[back] + #bytes
					if pass then
						pass(to, bytes, back)
					else
						to:send(bytes)
					end
				end
			end
			time.sleep(1)
		end
		there:close()
		here:close()
	end)
	assert.truthy(work)
	return server.addr, passed
end

describe("TLS", function()
	setup(function()
		certificates.path("") -- what makes them may have to be built, which takes longer than a test may
	end)
	before_each(node.before)
	after_each(node.after)
	teardown(shell.clean)

	it("lets nodes call each other both ways, and tells each the other's names", async(function()
		local seen
		node.serve({
			tls = option("node"),
			accept = function(peer, addr)
				seen = { addr, peer.names, peer.remoteaddr == addr }
			end,
			call = function(peer, cmd, body)
				if cmd == 1 then
					return (cluster.call(peer, 2, body .. "1"))
				end
				return body .. "2"
			end,
		})
		local peer = node.connect(node.listen().addr)
		assert.same({ "localhost", "node-1.cluster", "spiffe://cluster/node-1" }, peer.names)
		assert.equal("x12", (cluster.call(peer, 1, "x")))
		assert.matches("^127%.0%.0%.1:%d+$", seen[1])
		assert.same({ "localhost", "node-1.cluster", "spiffe://cluster/node-1" }, seen[2])
		assert.is_true(seen[3])
	end))

	it("shows no names on plain connections, nor of whom nobody has verified", async(function()
		local names = {}
		node.serve({
			accept = function(peer)
				names[#names + 1] = peer.names or "none"
			end,
		})
		local plain = node.pair()
		assert.is_nil(plain.names)
		local anyone = pair(option("node", { verify = false }), option("client", { verify = false }))
		assert.equal("r:x", (cluster.call(anyone, 1, "x")))
		assert.is_nil(anyone.names)
		assert.same({ "none", "none" }, names)
	end))

	it("lets accept refuse by names before anything is handled", async(function()
		local handled = false
		node.serve({
			accept = function(peer)
				return peer.names[1] ~= "client.cluster"
			end,
			call = function()
				handled = true
			end,
		})
		local peer = pair(option("node"), option("client"))
		assert.same({ nil, "closed" }, { cluster.call(peer, 1, "x") })
		assert.is_false(handled)
	end))

	it("takes no certificate of another CA, at either end", async(function()
		fails(pair(option("node"), option("stranger")), "tls: it refuses this end's certificate")
		told("tls: its certificate is not signed by tls.ca")
		fails(pair(option("stranger"), option("client")), "tls: its certificate is not signed by tls.ca")
		told("tls: it refuses this end's certificate")
	end))

	it("takes no certificate that has expired, at either end", async(function()
		fails(pair(option("node"), option("expired")), "tls: it refuses this end's certificate")
		told("tls: its certificate: certificate expired")
		fails(pair(option("expired"), option("client")), "tls: its certificate: certificate expired")
	end))

	it("takes no certificate that is not valid yet, at either end", async(function()
		fails(pair(option("node"), option("early")), "tls: it refuses this end's certificate")
		told("tls: its certificate: certificate not valid yet")
		fails(pair(option("early"), option("client")), "tls: its certificate: certificate not valid yet")
	end))

	it("takes no certificate of a server from one who connects", async(function()
		assert.equal("r:x", (cluster.call(pair(option("server"), option("client")), 1, "x")))
		fails(pair(option("node"), option("server")), "tls: it refuses this end's certificate")
		told("tls: its certificate: certificate does not allow extended key usage for client authentication")
	end))

	it("takes certificates of a CA below ours, shown with it, at either end", async(function()
		certificates.copy("below.key", "chain.key")
		certificates.join("chain.pem", "below.pem", "between.pem")
		assert.equal("r:x", (cluster.call(pair(option("node"), option("chain")), 1, "x")))
		assert.equal("r:x", (cluster.call(pair(option("chain"), option("client")), 1, "x")))
		fails(pair(option("node"), option("below")), "tls: it refuses this end's certificate")
		fails(pair(option("below"), option("client")), "tls: its certificate is not signed by tls.ca")
	end))

	it("takes certificates of each CA in the file", async(function()
		certificates.join("both.pem", "ca.pem", "other-ca.pem")
		local both = { ca = certificates.path("both.pem") }
		local _, listener = pair(option("node", both), option("client"))
		for _, name in ipairs({ "client", "stranger" }) do
			local peer = node.connect(listener.addr, { tls = option(name) })
			assert.equal("r:x", (cluster.call(peer, 1, "x")))
		end
		for _, name in ipairs({ "node", "stranger" }) do
			local peer = pair(option(name, { verify = false }), option(nil, both))
			assert.equal("r:x", (cluster.call(peer, 1, "x")))
		end
	end))

	it("takes any certificate where it is told to verify none", async(function()
		local accepted
		node.serve({
			accept = function(peer)
				accepted = peer.names
			end,
		})
		for _, name in ipairs({ "stranger", "expired", "elsewhere" }) do
			local anyone = pair(option(name, { verify = false }), { verify = false })
			assert.equal("r:x", (cluster.call(anyone, 1, "x")))
			assert.is_nil(anyone.names)
			local peer = pair(option(name, { ca = certificates.path("ca.pem") }), option("client", { verify = false }))
			assert.equal("r:x", (cluster.call(peer, 1, "x")))
			assert.is_nil(peer.names)
			assert.same({ "client.cluster" }, accepted)
		end
		fails(pair(option("node"), { verify = false }), "tls: it wants a certificate, and this end has shown none")
	end))

	it("takes no certificate for another name, unless server_name says that it is to be for that", async(function()
		local peer, listener = pair(option("elsewhere"), option("client"))
		fails(peer, 'certificate not valid for name "127.0.0.1"')
		local other = node.connect(listener.addr, { tls = option("client", { server_name = "another.host" }) })
		assert.equal("r:x", (cluster.call(other, 1, "x")))
		assert.same({ "another.host" }, other.names)
		fails(node.connect(listener.addr, { tls = option("client", { server_name = "a b" }) }), "server_name")
	end))

	it("takes the host of an address for the name", async(function()
		local _, listener = pair(option("node"), option("client"))
		local named = "localhost:" .. listener.addr:match("%d+$")
		assert.equal("r:x", (cluster.call(node.connect(named, { tls = option("client") }), 1, "x")))
		local far, other = pair(option("elsewhere"), option("client"))
		cluster.close(far)
		named = "localhost:" .. other.addr:match("%d+$")
		fails(node.connect(named, { tls = option("client") }), 'not valid for name "localhost"')
	end))

	it("takes an address of IPv6 for the name, too", async(function()
		for name, works in pairs({ node = true, elsewhere = false }) do
			local listener = node.listen("[::1]:0", nil, { tls = option(name) })
			local answer, why = cluster.call(node.connect(listener.addr, { tls = option("client") }), 1, "x")
			if works then
				assert.equal("r:x", answer)
			else
				assert.is_nil(answer)
				assert.truthy(why:find("connect " .. listener.addr .. ": tls: ", 1, true), why)
				assert.truthy(why:find('not valid for name "::1"', 1, true), why)
			end
		end
	end))

	it("takes the target of a service for the name, and the next one where that is another's", async(function()
		node.serve({
			call = function(peer)
				return peer.names[1]
			end,
		})
		local wrong = node.listen(nil, nil, { tls = option("elsewhere") })
		local right = node.listen(nil, nil, { tls = option("node") })
		local server = servers.start(([[{
			["node-1.cluster"] = { A = { "127.0.0.1" } },
			["node-2.cluster"] = { A = { "127.0.0.1" } },
			["_both._tcp.test"] = { SRV = { { 10, 1, %d, "node-1.cluster" }, { 20, 1, %d, "node-1.cluster" } } },
			["_other._tcp.test"] = { SRV = { { 10, 1, %d, "node-2.cluster" } } },
		}]]):format(wrong.addr:match("%d+$"), right.addr:match("%d+$"), right.addr:match("%d+$")))
		dns.server(server.addr)
		local peer = node.connect("srv:_both._tcp.test", { tls = option("client") })
		assert.equal("client.cluster", (cluster.call(peer, 1, "x")))
		assert.equal(right.addr, peer.remoteaddr)
		local other = node.connect("srv:_other._tcp.test", { tls = option("client") })
		local _, why = cluster.call(other, 1, "x")
		assert.truthy(why:find('not valid for name "node-2.cluster"', 1, true), why)
		dns.server()
		servers.close()
	end))

	it("lets nobody in who shows no certificate, unless a listener verifies nothing", async(function()
		local peer = pair(option("node"), option(nil))
		fails(peer, "tls: it wants a certificate, and this end has shown none")
		told("tls: it has shown no certificate")
		local accepted
		node.serve({
			accept = function(other)
				accepted = other
			end,
		})
		local open = pair(option("node", { verify = false }), option(nil))
		assert.equal("r:x", (cluster.call(open, 1, "x")))
		assert.is_nil(accepted.names)
		assert.same("localhost", open.names[1])
	end))

	it("fails what waits when a certificate is refused, and the next for a moment, as failed dials do", async(function()
		local closed
		node.serve({
			close = function(_, errno)
				closed = errno
			end,
		})
		local peer = pair(option("node"), option("stranger"))
		local outcomes = node.crowd(20, function()
			return cluster.call(peer, 1, "x")
		end)
		for _, outcome in ipairs(outcomes) do
			assert.is_nil(outcome[1])
			assert.matches("^connect .*it refuses this end's certificate", outcome[2])
		end
		assert.is_nil(peer.fd)
		assert.equal(71, closed)
	end))

	it("tells a plain client that knocks at a door with TLS, and the log of both", async(function()
		local peer = pair(option("node"), false)
		fails(peer, "it speaks TLS, and this end does not; the option tls must be set on both")
		told("tls: it does not speak TLS")
	end))

	it("tells a client with TLS that knocks at a plain door, and its log", async(function()
		local took = node.timed(function()
			fails(pair(false, option("client")), "the option tls must be set on both")
		end)
		assert.is_true(took < 2500, took .. " ms")
		told("it speaks TLS, and this end does not; the option tls must be set on both")
	end))

	it("does the same with generation 2", async(function()
		node.serve({ wire = 2 })
		fails(pair(false, option("client")), "the option tls must be set on both")
		told("it speaks TLS, and this end does not")
		fails(pair(option("node"), false), "it speaks TLS, and this end does not")
	end))

	it("lets plain frames be that begin like a hello", async(function()
		local client = raw.connect(node.listen().addr)
		local body = "\1\2\0\1" .. ("x"):rep(5635 - 4 - 16)
		local request = wire.request(1, 1, body)
		assert.equal("160301020001", wire.hex(request:sub(1, 6)))
		client:send(request:sub(1, 3000))
		time.sleep(10)
		client:send(request:sub(3001))
		assert.equal("r:" .. body, client:frame().data)
	end))

	it("goes side by side with plain listeners, and with handles of its own", async(function()
		node.serve({ tls = option("node") })
		local sealed, plain = node.listen(), node.listen(nil, nil, { tls = false })
		local one = node.connect(sealed.addr)
		local other = node.connect(plain.addr, { tls = false })
		assert.equal("r:x", (cluster.call(one, 1, "x")))
		assert.equal("r:x", (cluster.call(other, 1, "x")))
		assert.equal(one, node.connect(sealed.addr))
		assert.equal(one, node.connect(sealed.addr, { tls = option("node") }))
		assert.not_equal(one, node.connect(sealed.addr, { tls = option("client") }))
		assert.equal("r:x", (cluster.call(node.connect(sealed.addr, { tls = option("node") }), 1, "x")))
		fails(node.connect(sealed.addr, { tls = option("node", { server_name = "nil" }) }), 'not valid for name "nil"')
		assert.not_equal(other, node.connect(plain.addr))
		cluster.close(one)
		assert.not_equal(one, node.connect(sealed.addr))
		assert.equal("r:x", (cluster.call({ addr = sealed.addr }, 1, "x")))
	end))

	it("goes through a Unix socket, whose name is localhost", async(function()
		local address = "unix:" .. shell.dir .. "/tls.sock"
		node.listen(address, nil, { tls = option("node") })
		local peer = node.connect(address, { tls = option("client") })
		assert.equal("r:x", (cluster.call(peer, 1, "x")))
		assert.equal("localhost", peer.names[1])
	end))

	for generation = 1, 2 do
		it("carries many calls at once, short and long, of generation " .. generation, async(function()
			node.serve({ wire = generation, tls = option("node") })
			local peer = node.connect(node.listen().addr)
			local most = generation == 1 and 65519 - 10 or 5 * 1024 * 1024
			local outcomes = node.crowd(1000, function(index)
				local length = index % 100 == 0 and most or index * 61 % 5000
				local body = ("%d,"):format(index):rep(math.floor(length / 5))
				return cluster.call(peer, 1, body, 60000) == "r:" .. body
			end)
			for index = 1, 1000 do
				assert.is_true(outcomes[index][1], index)
			end
			assert.equal(0, cluster.stats().bytes_queued)
		end, 60)) -- seconds, as it is run under valgrind, too
	end

	it("delivers what was sent before a close, however slowly it is read", async(function()
		local got, ended = 0, nil
		node.serve({
			wire = 2,
			call = function(_, _, body)
				got = got + #body
			end,
			close = function(_, errno)
				ended = errno
			end,
		})
		local peer = pair(option("node"), option("client"))
		local body = ("x"):rep(1024 * 1024)
		for _ = 1, 40 do
			assert(cluster.send(peer, 1, body))
		end
		cluster.close(peer)
		node.eventually(function()
			return ended
		end, "the end")
		assert.equal(40 * #body, got)
		assert.equal(0, ended)
	end))

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

	it("reads its files again when it is told to, and keeps what is connected", async(function()
		certificates.copy("node.pem", "mine.pem")
		certificates.copy("node.key", "mine.key")
		node.serve({ tls = option("mine") })
		local listener = node.listen()
		local function names()
			local peer = node.connect(listener.addr, { tls = option("client"), shared = false })
			assert.equal("r:x", (cluster.call(peer, 1, "x")))
			return #peer.names, peer
		end
		local count, old = names()
		assert.equal(3, count)
		certificates.copy("renewed.pem", "mine.pem")
		local ok, why = cluster.reload_tls()
		assert.is_nil(ok)
		assert.matches("^key .*mine%.key: is not that of the certificate in .*mine%.pem$", why)
		assert.equal(3, (names()))
		certificates.copy("renewed.key", "mine.key")
		assert.is_true(cluster.reload_tls())
		assert.equal(4, (names()))
		assert.equal("r:x", (cluster.call(old, 1, "x")))
		os.remove(certificates.path("mine.key"))
		ok, why = cluster.reload_tls()
		assert.is_nil(ok)
		assert.matches("^key .*mine%.key: No such file or directory$", why)
		assert.equal(4, (names()))
		assert.equal("r:x", (cluster.call(old, 1, "x")))
	end))

	it("reads all files again or none", async(function()
		certificates.copy("node.pem", "one.pem")
		certificates.copy("node.key", "one.key")
		certificates.copy("ca.pem", "two-ca.pem")
		local one = node.listen(nil, nil, { tls = option("one") })
		local two = node.listen(nil, nil, { tls = option("node", { ca = certificates.path("two-ca.pem") }) })
		local function count()
			local peer = node.connect(one.addr, { tls = option("client"), shared = false })
			return #peer.names
		end
		assert.equal(3, count())
		certificates.copy("renewed.pem", "one.pem")
		certificates.copy("renewed.key", "one.key")
		certificates.write("two-ca.pem", "nothing")
		local ok, why = cluster.reload_tls()
		assert.is_nil(ok)
		assert.matches("^ca .*two%-ca%.pem: holds no certificate$", why)
		told("tls: " .. why)
		assert.equal(3, count())
		-- What nobody uses any more holds up nobody.
		cluster.close(two)
		assert.is_true(cluster.reload_tls())
		assert.equal(4, count())
	end))

	it("tells the names anew when a handle connects again", async(function()
		certificates.copy("node.pem", "again.pem")
		certificates.copy("node.key", "again.key")
		local accepted
		node.serve({
			accept = function(peer)
				accepted = peer
			end,
		})
		local peer = pair(option("again"), option("client"))
		assert.equal(3, #peer.names)
		certificates.copy("renewed.pem", "again.pem")
		certificates.copy("renewed.key", "again.key")
		assert.is_true(cluster.reload_tls())
		assert.equal("r:x", (cluster.call(peer, 1, "x")))
		assert.equal(3, #peer.names)
		cluster.close(accepted)
		node.eventually(function()
			return not peer.fd
		end, "the end")
		assert.equal("r:x", (cluster.call(peer, 1, "x")))
		assert.equal(4, #peer.names)
	end))

	it("uses a CA that has changed for those who come from then on", async(function()
		certificates.copy("ca.pem", "trusted.pem")
		node.serve({ tls = option("node", { ca = certificates.path("trusted.pem") }) })
		local listener = node.listen()
		local old = node.connect(listener.addr, { tls = option("client"), shared = false })
		certificates.copy("other-ca.pem", "trusted.pem")
		assert.is_true(cluster.reload_tls())
		fails(node.connect(listener.addr, { tls = option("client"), shared = false }), "it refuses this end's certificate")
		assert.equal("r:x", (cluster.call(old, 1, "x")))
		local other = node.connect(listener.addr, { tls = option("stranger"), shared = false })
		assert.equal("r:x", (cluster.call(other, 1, "x")))
	end))

	it("takes paths of any bytes, as the system does", async(function()
		certificates.copy("node.pem", "caf\233.pem")
		certificates.copy("node.key", "caf\233.key")
		assert.equal("r:x", (cluster.call(pair(option("caf\233"), option("client")), 1, "x")))
	end))

	it("raises for mistakes, and names the file", async(function()
		local path = certificates.path
		local function wrong(given, text)
			for name, use in pairs({
				["cluster.serve"] = function()
					node.serve({ tls = given })
				end,
				["cluster.listen"] = function()
					cluster.listen("127.0.0.1:0", nil, { tls = given })
				end,
				["cluster.connect"] = function()
					cluster.connect("127.0.0.1:1", { tls = given })
				end,
			}) do
				local ok, problem = helper.protect(use)
				assert.is_false(ok)
				assert.matches("spec/[%w_/.]+:%d+: ", problem)
				assert.equal(name .. ": " .. text, problem:match(": (cluster%..*)$"))
			end
		end
		local function pem(text, what)
			return ("-----BEGIN %s-----\n%s\n-----END %s-----\n"):format(what, text, what)
		end
		certificates.write("cut off", pem("AAAA", "CERTIFICATE"):sub(1, -10))
		certificates.write("cut off.key", pem("AAAA", "PRIVATE KEY"):sub(1, -10))
		certificates.write("not base64", pem("!", "CERTIFICATE"))
		certificates.write("no certificate", pem("AAAA", "CERTIFICATE"))
		wrong("x", "option 'tls' must be a table or false, got string \"x\"")
		wrong({ crt = "x" }, "option 'tls': unknown option 'crt' (did you mean 'cert'?)")
		wrong({ verify = 1 }, "option 'tls.verify' must be a boolean, got number 1")
		wrong({ ca = 1 }, "option 'tls.ca' must be a string, got number 1")
		wrong({ cert = "x" }, "option 'tls': cert and key belong together, and there is no key")
		wrong({}, "option 'tls': ca is needed to verify the other end")
		wrong({ ca = "/nowhere/ca.pem" }, "option 'tls': ca /nowhere/ca.pem: No such file or directory")
		wrong({ server_name = 1 }, "option 'tls.server_name' must be a string, got number 1")
		wrong({ key = "x" }, "option 'tls': cert and key belong together, and there is no cert")
		for name, wanted in pairs({
			["cut off"] = "is no PEM, or is cut off",
			["not base64"] = "is no PEM, or is cut off",
			["no certificate"] = "holds what is no certificate",
		}) do
			local bad = path(name)
			wrong({ ca = bad }, ("option 'tls': ca %s: %s"):format(bad, wanted))
			wrong(option("node", { cert = bad }), ("option 'tls': cert %s: %s"):format(bad, wanted))
		end
		wrong(option("node", { key = path("cut off.key") }),
			("option 'tls': key %s: is no PEM, or is cut off"):format(path("cut off.key")))
		wrong({ ca = shell.dir }, ("option 'tls': ca %s: Is a directory"):format(shell.dir))
		wrong({ ca = path("node.key") }, ("option 'tls': ca %s: holds no certificate"):format(path("node.key")))
		wrong(option("node", { key = path("ca.pem") }),
			("option 'tls': key %s: holds no private key, or none that is not encrypted"):format(path("ca.pem")))
		wrong(option("node", { key = path("client.key") }),
			("option 'tls': key %s: is not that of the certificate in %s"):format(path("client.key"), path("node.pem")))
		assert.error_matches(function()
			cluster.listen("127.0.0.1:0", nil, { tls = option(nil) })
		end, "cluster.listen: option 'tls': cert and key are needed to listen")
		node.serve({ tls = option(nil) })
		assert.error_matches(function()
			cluster.listen("127.0.0.1:0")
		end, "cluster.listen: option 'tls': cert and key are needed to listen")
	end))
end)
