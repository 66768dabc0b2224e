--- The files that the option tls names: what is wrong with them, and reading them again.

local cluster = require "silly.net.cluster"
local helper = require "spec.helper"
local certificates = require "spec.support.certificates"
local node = require "spec.support.node"
local sealed = require "spec.support.sealed"
local shell = require "spec.support.shell"

local option = certificates.option
local told, pair, fails = sealed.told, sealed.pair, sealed.fails

describe("the files of TLS", function()
	setup(function()
		certificates.path("") -- what makes them may have to be built, which takes longer than a test may
	end)
	before_each(node.before)
	after_each(node.after)
	teardown(shell.clean)

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

	it("reads them anew for a connection where nothing else uses them", async(function()
		certificates.copy("node.pem", "mine.pem")
		certificates.copy("node.key", "mine.key")
		local seen
		node.serve({
			accept = function(peer)
				seen = #peer.names
			end,
		})
		local listener = node.listen(nil, nil, { tls = option("node") })
		local function shown()
			local peer = node.connect(listener.addr, { tls = option("mine"), shared = false })
			assert.equal("r:x", (cluster.call(peer, 1, "x")))
			return seen, peer
		end
		local _, peer = shown()
		certificates.copy("renewed.pem", "mine.pem")
		certificates.copy("renewed.key", "mine.key")
		local count, second = shown()
		assert.equal(3, count) -- the first one uses them as they were
		cluster.close(peer)
		cluster.close(second)
		assert.equal(4, (shown()))
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
		for _, name in ipairs({ "", "a b" }) do
			wrong(option("node", { server_name = name }),
				("option 'tls': server_name %q: is neither a name nor an address"):format(name))
		end
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
