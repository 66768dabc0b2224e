--- Dialling by name: every address, IPv4 first, within the deadline.

local cluster = require "silly.net.cluster"
local dns = require "silly.net.dns"
local node = require "spec.support.node"
local process = require "spec.support.process"
local raw = require "spec.support.raw"
local names = require "spec.support.dns"

-- On a port that is open on 127.0.0.1 only, the other addresses refuse; 127.0.0.9 is made silent.
local ZONE = [[{
	["good.test"] = { A = { "127.0.0.1" } },
	["alias.test"] = { CNAME = "good.test" },
	["last.test"] = { A = { "127.0.0.3", "127.0.0.9", "127.0.0.1" } },
	["two.test"] = { A = { "127.0.0.1", "127.0.0.2" } },
	["bad.test"] = { A = { "127.0.0.3", "127.0.0.4" } },
	["six.test"] = { AAAA = { "0:0:0:0:0:0:0:1" } },
	["both.test"] = { A = { "127.0.0.1" }, AAAA = { "0:0:0:0:0:0:0:1" } },
	["half.test"] = { A = { "127.0.0.1" }, mode = { AAAA = "silent" } },
	["four-refuses.test"] = { A = { "127.0.0.3" }, AAAA = { "0:0:0:0:0:0:0:1" } },
	["moves.test"] = { ttl = 0, A = function(count) return { count == 1 and "127.0.0.3" or "127.0.0.1" } end },
	["dies.test"] = { ttl = 300, A = function(count) return { count == 1 and "127.0.0.9" or "127.0.0.1" } end },
	["fails.test"] = { mode = "servfail" },
	["silent.test"] = { mode = "silent" },
}]]

local function start()
	local server = names.start(ZONE)
	dns.server(server.addr)
	return server
end

--- A listener's port.
local function port_of(listener)
	return tonumber(listener.addr:match("%d+$"))
end

describe("cluster.connect by name", function()
	before_each(node.before)
	after_each(function()
		dns.server()
		names.close()
		node.after()
	end)

	it("asks the servers that dns.server names", async(function()
		local server = start()
		local port = port_of(node.listen())
		dns.lookup("good.test", dns.A)
		local before = server:count("good.test/A")
		for _, name in ipairs({ "good.test", "GOOD.test", "alias.test" }) do
			local peer = node.connect(name .. ":" .. port)
			assert.is_number(peer.fd)
			assert.equal("r:x", (cluster.call(peer, 1, "x")))
		end
		-- What dns.lookup has found, a dial need not ask for.
		assert.equal(before, server:count("good.test/A"))
	end))

	it("tries every address, in any order: one refuses, one is silent, one is good", async(function()
		start()
		local port = port_of(node.listen())
		raw.silent_server(port, "127.0.0.9")
		local waited, at_once = 0, 0
		-- Until both have been seen; that they are not in so many tries is a chance of one in a billion.
		for _ = 1, 30 do
			local took, peer = node.timed(node.connect, "last.test:" .. port, { shared = false })
			assert.is_number(peer.fd)
			assert.equal("r:x", (cluster.call(peer, 1, "x")))
			-- Where it was tried first the silent one has had its third of the timeout of 3000.
			assert.is_true(took < 900 or took >= 990 and took < 2500, took)
			if took >= 990 then
				waited = waited + 1
			else
				at_once = at_once + 1
			end
			if waited > 0 and at_once > 0 then
				break
			end
		end
		assert.is_true(waited > 0 and at_once > 0, waited .. " waited")
	end))

	it("spreads over several addresses", async(function()
		start()
		local counts, listeners = {}, { node.listen("127.0.0.1:0") }
		local port = port_of(listeners[1])
		listeners[2] = node.listen("127.0.0.2:" .. port)
		for _ = 1, 60 do
			local peer = node.connect("two.test:" .. port, { shared = false })
			counts[peer.remoteaddr] = (counts[peer.remoteaddr] or 0) + 1
		end
		for _, listener in ipairs(listeners) do
			assert.is_true((counts[listener.addr] or 0) >= 10, listener.addr)
		end
	end))

	it("names the last address when none is good, and asks anew the next time", async(function()
		local server = start()
		local port = port_of(node.listen())
		local peer = node.connect("bad.test:" .. port)
		assert.is_nil(peer.fd)
		local answer, why = cluster.call(peer, 1, "x")
		assert.is_nil(answer)
		assert.matches("^connect 127%.0%.0%.[34]:" .. port .. ": Connection refused$", why)
		local asked = server:count("bad.test/A")
		node.eventually(function()
			cluster.call(peer, 1, "x")
			return server:count("bad.test/A") > asked
		end, "another question")
	end))

	it("asks anew after a dial that was given up, as one to a silent address is", async(function()
		start()
		local port = port_of(node.listen())
		raw.silent_server(port, "127.0.0.9")
		node.serve({ timeout = 300 })
		local peer = node.connect("dies.test:" .. port)
		assert.is_nil(peer.fd)
		assert.equal("r:x", (cluster.call(peer, 1, "x")))
	end))

	it("takes IPv4 first", async(function()
		start()
		local from
		node.serve({
			accept = function(_, addr)
				from = addr
			end,
		})
		local port = port_of(node.listen())
		node.listen("[::1]:" .. port)
		assert.equal("r:x", (cluster.call(node.connect("both.test:" .. port), 1, "x")))
		assert.truthy(from:find("^127%.0%.0%.1:"), from)
	end))

	it("takes IPv6 where there is nothing else, and where IPv4 refuses", async(function()
		start()
		local port = port_of(node.listen("[::1]:0"))
		for _, name in ipairs({ "six.test", "four-refuses.test" }) do
			local peer = node.connect(name .. ":" .. port)
			assert.equal("r:x", (cluster.call(peer, 1, "x")))
		end
	end))

	it("does not wait for a server that is silent about IPv6", async(function()
		start()
		local port = port_of(node.listen())
		local took, peer = node.timed(node.connect, "half.test:" .. port)
		assert.is_number(peer.fd)
		assert.is_true(took < 2000, took)
	end))

	it("looks the name up again at each dial", async(function()
		start()
		local port = port_of(node.listen())
		local peer = node.connect("moves.test:" .. port)
		assert.is_nil(peer.fd)
		node.eventually(function()
			return (cluster.call(peer, 1, "x"))
		end, "the second address")
	end))

	it("gives the resolver's reason, with the name", async(function()
		start()
		for name, why in pairs({
			["gone.test"] = "lookup gone.test: no such name",
			["fails.test"] = "lookup fails.test: the name server says: Server Failure",
		}) do
			local peer = node.connect(name .. ":80")
			assert.is_nil(peer.fd)
			assert.same({ nil, why }, { cluster.call(peer, 1, "x") })
		end
	end))

	it("keeps to its timeout while the name server is silent", async(function()
		start()
		node.serve({ timeout = 300 })
		local took, peer = node.timed(node.connect, "silent.test:80")
		assert.is_nil(peer.fd)
		assert.is_true(took >= 300 and took < 1300, took)
		local answer, why
		took, answer, why = node.timed(cluster.call, peer, 1, "x", 200)
		assert.same({ nil, "timeout" }, { answer, why })
		assert.is_true(took >= 200 and took < 1200, took)
	end))

	it("gets to the second server well within a timeout of a second and a half", async(function()
		local server = names.start(ZONE)
		dns.server(names.silent(), server.addr)
		node.serve({ timeout = 1500 })
		local peer = node.connect("good.test:" .. port_of(node.listen()))
		assert.is_number(peer.fd)
	end))
end)

describe("cluster.connect to a service", function()
	before_each(node.before)
	after_each(function()
		dns.server()
		names.close()
		node.after()
	end)

	--- Starts a name server that knows some services; each is a list of priority, weight and listener.
	local function serve_names(entries, ttl)
		local list = {}
		for index, entry in ipairs(entries) do
			list[index] = ("{ %d, %d, %d, 'node.test' }"):format(entry[1], entry[2], port_of(entry[3]))
		end
		local server = names.start(("{ ['node.test'] = { A = { '127.0.0.1' } }, "
			.. "['_game._tcp.test'] = { ttl = %d, SRV = { %s } } }"):format(ttl or 60, table.concat(list, ", ")))
		dns.server(server.addr)
		return server
	end

	local GAME = "srv:_game._tcp.test"

	it("takes the lowest priority, and the next one where that is gone", async(function()
		local first, second = node.listen(), node.listen()
		serve_names({ { 20, 1, second }, { 10, 1, first } })
		local peer = node.connect(GAME)
		assert.equal(first.addr, peer.remoteaddr)
		assert.equal("r:x", (cluster.call(peer, 1, "x")))
		cluster.close(first)
		cluster.close(peer)
		peer = node.connect(GAME)
		assert.equal(second.addr, peer.remoteaddr)
		assert.equal("r:x", (cluster.call(peer, 1, "x")))
	end))

	it("moves on by itself when its node goes", async(function()
		local home = node.listen()
		local child = process.start([[
			local cluster = require "silly.net.cluster"
			cluster.serve {
				marshal = function(_, cmd, body) return cmd, body end,
				unmarshal = function(_, _, data) return data end,
				call = function(_, _, body) return "child:" .. body end,
			}
			print("at " .. assert(cluster.listen("127.0.0.1:0")).addr)
		]])
		serve_names({ { 10, 1, { addr = child:output("at (%S+)") } }, { 20, 1, home } })
		local peer = node.connect(GAME)
		assert.equal("child:x", (cluster.call(peer, 1, "x")))
		child:kill()
		node.eventually(function()
			return cluster.call(peer, 1, "x") == "r:x"
		end, "an answer from the other node")
	end))

	it("spreads over those of one priority by their weights", async(function()
		local listeners = { node.listen(), node.listen(), node.listen() }
		serve_names({ { 1, 30, listeners[1] }, { 1, 10, listeners[2] }, { 1, 0, listeners[3] } })
		local counts = {}
		for _ = 1, 80 do
			local peer = node.connect(GAME, { shared = false })
			counts[peer.remoteaddr] = (counts[peer.remoteaddr] or 0) + 1
		end
		assert.is_nil(counts[listeners[3].addr])
		assert.is_true(counts[listeners[1].addr] > counts[listeners[2].addr])
		assert.is_true(counts[listeners[2].addr] > 3)
	end))

	it("asks anew when none of the targets is any good, and when the answer has expired", async(function()
		local listener = node.listen()
		local port = port_of(listener)
		cluster.close(listener)
		local server = serve_names({ { 1, 1, { addr = ":" .. port } } }, 1)
		local peer = node.connect(GAME)
		local _, why = cluster.call(peer, 1, "x")
		assert.equal("connect 127.0.0.1:" .. port .. ": Connection refused", why)
		local asked = server:count("_game._tcp.test/SRV")
		node.listen("127.0.0.1:" .. port)
		node.eventually(function()
			return cluster.call(peer, 1, "x") == "r:x"
		end, "an answer")
		assert.is_true(server:count("_game._tcp.test/SRV") > asked)
		asked = server:count("_game._tcp.test/SRV")
		node.eventually(function()
			node.connect(GAME, { shared = false })
			return server:count("_game._tcp.test/SRV") > asked
		end, "another question")
	end))

	it("asks anew when the targets have no address, whatever holds longer", async(function()
		local port = port_of(node.listen())
		dns.server(names.start(([[{
			["node.test"] = { A = { "127.0.0.1" } },
			["_game._tcp.test"] = { ttl = 300, SRV = function(count)
				return { { 1, 1, %d, count == 1 and "gone.test" or "node.test" } }
			end },
		}]]):format(port)).addr)
		local peer = node.connect(GAME)
		local _, why = cluster.call(peer, 1, "x")
		assert.equal("lookup gone.test: no such name", why)
		node.eventually(function()
			return cluster.call(peer, 1, "x") == "r:x"
		end, "an answer")
	end))

	it("gives the resolver's reason, with the name", async(function()
		serve_names({})
		for name, reason in pairs({
			["_game._tcp.test"] = "no service found",
			["_none._tcp.test"] = "no such name",
		}) do
			assert.same({ nil, "lookup " .. name .. ": " .. reason }, { cluster.call(node.connect("srv:" .. name), 1, "x") })
		end
	end))
end)
