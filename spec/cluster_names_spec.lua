--- Dialling by name: every address, IPv4 first, within the deadline.

local cluster = require "silly.net.cluster"
local dns = require "silly.net.dns"
local node = require "spec.support.node"
local raw = require "spec.support.raw"
local names = require "spec.support.dns"

-- On a port that is open on 127.0.0.1 only, the other addresses refuse; 127.0.0.9 is made silent.
local ZONE = [[{
	["good.test"] = { A = { "127.0.0.1" } },
	["alias.test"] = { CNAME = "good.test" },
	["last.test"] = { A = { "127.0.0.3", "127.0.0.9", "127.0.0.1" } },
	["bad.test"] = { A = { "127.0.0.3", "127.0.0.4" } },
	["six.test"] = { AAAA = { "0:0:0:0:0:0:0:1" } },
	["both.test"] = { A = { "127.0.0.1" }, AAAA = { "0:0:0:0:0:0:0:1" } },
	["half.test"] = { A = { "127.0.0.1" }, mode = { AAAA = "silent" } },
	["four-refuses.test"] = { A = { "127.0.0.3" }, AAAA = { "0:0:0:0:0:0:0:1" } },
	["moves.test"] = { ttl = 0, A = function(count) return { count == 1 and "127.0.0.3" or "127.0.0.1" } end },
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

	it("tries every address: one refuses, one is silent, the last is good", async(function()
		start()
		local port = port_of(node.listen())
		raw.silent_server(port, "127.0.0.9")
		local took, peer = node.timed(node.connect, "last.test:" .. port)
		assert.is_number(peer.fd)
		assert.equal("r:x", (cluster.call(peer, 1, "x")))
		-- The silent one has had its third of the timeout of 3000.
		assert.is_true(took >= 990 and took < 2500, took)
	end))

	it("names the last address when none is good", async(function()
		start()
		local port = port_of(node.listen())
		local peer = node.connect("bad.test:" .. port)
		assert.is_nil(peer.fd)
		assert.same(
			{ nil, "connect 127.0.0.4:" .. port .. ": Connection refused" },
			{ cluster.call(peer, 1, "x") }
		)
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
