--- TLS between nodes: who is let in, who is connected to, and what both are told.

local cluster = require "silly.net.cluster"
local dns = require "silly.net.dns"
local time = require "silly.time"
local certificates = require "spec.support.certificates"
local node = require "spec.support.node"
local raw = require "spec.support.raw"
local sealed = require "spec.support.sealed"
local servers = require "spec.support.dns"
local shell = require "spec.support.shell"
local wire = require "spec.support.wire"

local option = certificates.option
local told, pair, fails = sealed.told, sealed.pair, sealed.fails

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

	it("waits longer with each refusal before the next dial, up to half a second", async(function()
		local peer = pair(option("node"), option(nil))
		local before = cluster.stats().connects
		local began = time.monotonic()
		while time.monotonic() - began < 1000 do
			fails(peer, "tls: it wants a certificate")
			time.sleep(5)
		end
		-- After 50, 100, 200, 400 and 500 ms, and what began in between.
		local dials = cluster.stats().connects - before
		assert.is_true(dials >= 2 and dials <= 6, dials .. " dials")
	end))

	it("tells a plain client that knocks at a door with TLS, and the log of both", async(function()
		local peer = pair(option("node"), false)
		fails(peer, "it speaks TLS, and this end does not; the option tls must be set on both")
		told("tls: it does not speak TLS")
	end))

	it("tells a client with TLS that knocks at a plain door, and its log", async(function()
		local took = node.timed(function()
			fails(pair(false, option("client")), "tls: it has ended the connection in the handshake: it has no tls set")
		end)
		assert.is_true(took < 2500, took .. " ms")
		told("it speaks TLS, and this end does not; the option tls must be set on both")
	end))

	it("does the same with generation 2", async(function()
		node.serve({ wire = 2 })
		fails(pair(false, option("client")), "tls: it has ended the connection in the handshake: it has no tls set")
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
		local with, plain = node.listen(), node.listen(nil, nil, { tls = false })
		local one = node.connect(with.addr)
		local other = node.connect(plain.addr, { tls = false })
		assert.equal("r:x", (cluster.call(one, 1, "x")))
		assert.equal("r:x", (cluster.call(other, 1, "x")))
		assert.equal(one, node.connect(with.addr))
		assert.equal(one, node.connect(with.addr, { tls = option("node") }))
		assert.not_equal(one, node.connect(with.addr, { tls = option("client") }))
		assert.equal("r:x", (cluster.call(node.connect(with.addr, { tls = option("node") }), 1, "x")))
		fails(node.connect(with.addr, { tls = option("node", { server_name = "nil" }) }), 'not valid for name "nil"')
		assert.not_equal(other, node.connect(plain.addr))
		cluster.close(one)
		assert.not_equal(one, node.connect(with.addr))
		assert.equal("r:x", (cluster.call({ addr = with.addr }, 1, "x")))
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
end)
