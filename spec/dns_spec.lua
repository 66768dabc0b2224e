--- Looking names up: what answers become, and what becomes of those who wait.

local silly = require "silly"
local dns = require "silly.net.dns"
local task = require "silly.task"
local time = require "silly.time"
local node = require "spec.support.node"
local raw = require "spec.support.raw"
local names = require "spec.support.dns"
local process = require "spec.support.process"
local echo = require "spec.support.echo"

local HUNDRED = [[(function()
	local list = {}
	for number = 1, 100 do
		list[number] = "10.1.0." .. number
	end
	return list
end)()]]

local ZONE = [[{
	["a.test"] = { A = { "10.0.0.1", "10.0.0.2" } },
	["both.test"] = { A = { "10.0.0.3" }, AAAA = { "2001:db8:0:0:0:0:0:1", "fe80:0:0:0:0:0:abc:ffff" } },
	["six.test"] = { AAAA = { "0:0:0:0:0:0:0:1" } },
	["_game._tcp.test"] = { SRV = { { 20, 5, 8001, "b.test" }, { 10, 60, 8000, "a.test" } } },
	["alias.test"] = { CNAME = "further.test" },
	["further.test"] = { CNAME = "a.test" },
	["step.test"] = { CNAME = "stride.test", partial = true },
	["stride.test"] = { CNAME = "a.test", partial = true },
	["nowhere.test"] = { CNAME = "gone.test" },
	["circle.test"] = { CNAME = "round.test", partial = true },
	["round.test"] = { CNAME = "circle.test", partial = true },
	["many.test"] = { A = ]] .. HUNDRED .. [[ },
	["brief.test"] = { ttl = 1, A = function(count) return { "10.0.1." .. count } end },
	["fresh.test"] = { ttl = 0, A = function(count) return { "10.0.2." .. math.min(count, 2) } end },
	["late.test"] = { ttl = 3600, A = function(count) return count > 1 and { "10.0.3.1" } or {} end },
	["fails.test"] = { mode = "servfail" },
	["refuses.test"] = { mode = "refused" },
	["silent.test"] = { mode = "silent" },
	["garbage.test"] = { mode = "garbage" },
	["short.test"] = { mode = "short" },
	["wrong-id.test"] = { A = { "10.6.6.6" }, mode = "wrong_id" },
	["wrong-question.test"] = { mode = "wrong_question" },
	["loop.test"] = { mode = "loop" },
	["cut.test"] = { A = { "10.6.6.6" }, mode = "cut" },
}]]

--- Starts a name server with the zone above, or another, and asks it from now on.
local function start(zone)
	local server = names.start(zone or ZONE)
	dns.server(server.addr)
	return server
end

--- A name of this machine's hosts file with its first IPv4 address.
local function listed()
	local file = io.open("/etc/hosts") -- a container may have none
	for line in file and file:lines() or function() end do
		local ip, name = line:gsub("#.*", ""):match("^%s*(%d+%.%d+%.%d+%.%d+)%s+([%w%.-]+)")
		if name then
			file:close()
			return name, ip
		end
	end
	return "localhost", "127.0.0.1" -- known without a file
end

describe("dns", function()
	before_each(node.before)
	after_each(function()
		dns.server()
		names.close()
		node.after()
	end)

	it("knows names from literals", function()
		for name, expected in pairs({
			["a.1"] = true, [""] = true, localhost = true, ["10.0.0.1x"] = true, ["-"] = true,
			["1234"] = false, ["10.0.0.1"] = false, ["."] = false, ["host:80"] = false, ["::1"] = false,
		}) do
			assert.equal(expected, dns.isname(name), name)
		end
		assert.error_matches(function()
			dns.isname(nil)
		end, "dns.isname: the name must be a string, got nil")
	end)

	it("T24: gives literals back as they are, whatever the type, and asks nobody", async(function()
		dns.server(names.silent())
		for _, literal in ipairs({ "10.0.0.1", "::1", "2001:DB8::1", "1234", "host:80" }) do
			for _, kind in ipairs({ dns.A, dns.AAAA, dns.SRV }) do
				assert.equal(literal, (dns.lookup(literal, kind)))
				assert.same({ literal }, (dns.resolve(literal, kind)))
			end
		end
	end))

	it("T24: looks in the hosts file, without regard to case, and asks nobody", async(function()
		dns.server(names.silent())
		assert.equal("127.0.0.1", (dns.lookup("localhost", dns.A)))
		assert.equal("127.0.0.1", (dns.lookup("LOCALHOST", dns.A)))
		local name, ip = listed()
		assert.equal(ip, (dns.lookup(name, dns.A)))
		assert.equal(ip, (dns.lookup(name:upper(), dns.A)))
		assert.equal(ip, (dns.lookup(name .. ".", dns.A)))
	end))

	it("finds addresses, one or all", async(function()
		start()
		assert.same({ "10.0.0.1", nil }, { dns.lookup("a.test", dns.A) })
		assert.same({ "10.0.0.1", "10.0.0.2" }, (dns.resolve("a.test", dns.A)))
		assert.equal("10.0.0.1", (dns.lookup("a.test")))
		assert.equal("2001:db8:00:00:00:00:00:01", (dns.lookup("both.test", dns.AAAA)))
		assert.equal("fe80:00:00:00:00:00:abc:ffff", dns.resolve("both.test", dns.AAAA)[2])
		assert.same({ "10.0.0.3" }, (dns.resolve("both.test", dns.A)))
	end))

	it("finds services, those to be tried first before the others", async(function()
		start()
		local first = { priority = 10, weight = 60, port = 8000, target = "a.test" }
		local second = { priority = 20, weight = 5, port = 8001, target = "b.test" }
		assert.same(first, (dns.lookup("_game._tcp.test", dns.SRV)))
		assert.same({ first, second }, (dns.resolve("_game._tcp.test", dns.SRV)))
	end))

	it("asks once for a name in any case", async(function()
		local server = start()
		dns.lookup("a.Test", dns.A)
		local before = server:count("a.test/A") -- once, unless that took so long that it was repeated
		for _, name in ipairs({ "a.test", "A.TEST", "a.Test.", "a.test" }) do
			assert.equal("10.0.0.1", (dns.lookup(name, dns.A)))
		end
		assert.equal(before, server:count("a.test/A"))
	end))

	it("follows aliases, in one answer or from one to the next", async(function()
		start()
		for _, name in ipairs({ "alias.test", "further.test", "step.test" }) do
			assert.same({ "10.0.0.1", "10.0.0.2" }, (dns.resolve(name, dns.A)))
		end
		assert.same({ nil, "no such name" }, { dns.lookup("nowhere.test", dns.A) })
		assert.same({ nil, "no address found" }, { dns.lookup("circle.test", dns.A) })
	end))

	it("says at once what is not there", async(function()
		start()
		local took = node.timed(function()
			assert.same({ nil, "no such name" }, { dns.lookup("gone.test", dns.A) })
			assert.same({ nil, "no such name" }, { dns.resolve("gone.test", dns.SRV) })
			assert.same({ nil, "no address found" }, { dns.lookup("six.test", dns.A) })
			assert.same({ nil, "no address found" }, { dns.lookup("a.test", dns.AAAA) })
			assert.same({ nil, "no service found" }, { dns.resolve("a.test", dns.SRV) })
			assert.same({ nil, "the name server says: Server Failure" }, { dns.lookup("fails.test", dns.A) })
			assert.same({ nil, "the name server says: Query Refused" }, { dns.lookup("refuses.test", dns.A) })
		end)
		assert.is_true(took < 2000, took)
	end))

	it("refuses what can be no name", async(function()
		start()
		for _, name in ipairs({ "a..test", ("x"):rep(64) .. ".test", ("abc."):rep(64) .. "x" }) do
			local found, why = dns.lookup(name, dns.A)
			assert.is_nil(found)
			assert.truthy(why:find("^bad name: "), why)
		end
	end))

	it("takes an answer that UDP has no room for over TCP", async(function()
		local server = start()
		local list = dns.resolve("many.test", dns.A)
		assert.equal(100, #list)
		assert.equal("10.1.0.1", list[1])
		assert.equal("10.1.0.100", list[100])
		assert.is_true(server:count("many.test/A") >= 2)
	end))

	it("keeps an answer for as long as it says, and no longer", async(function()
		local server = start()
		local asked = time.monotonic()
		local first = dns.lookup("brief.test", dns.A)
		local before = server:count("brief.test/A")
		local same = 0
		repeat
			local found, now = dns.lookup("brief.test", dns.A), time.monotonic()
			same = found == first and same + 1 or same
			local kept = found == first and server:count("brief.test/A") == before
			assert.is_true(kept or now - asked >= 1000, now - asked)
			time.sleep(50)
		until not kept or now - asked > 3000
		assert.is_true(same > 0)
		assert.not_equal(first, (dns.lookup("brief.test", dns.A)))
	end))

	it("does not keep an answer that lasts no time", async(function()
		start()
		assert.equal("10.0.2.1", (dns.lookup("fresh.test", dns.A)))
		time.sleep(2)
		assert.equal("10.0.2.2", (dns.lookup("fresh.test", dns.A)))
	end))

	it("keeps a denial for two seconds at most, whatever it says", async(function()
		start()
		assert.same({ nil, "no address found" }, { dns.lookup("late.test", dns.A) })
		time.sleep(2050)
		assert.equal("10.0.3.1", (dns.lookup("late.test", dns.A)))
	end))

	it("waits for a silent server until the time is up, and not much longer", async(function()
		dns.server(names.silent())
		for _, limit in ipairs({ 1, 150, 600 }) do
			local took, found, why = node.timed(dns.lookup, "a.test", dns.A, limit)
			assert.same({ nil, "timeout" }, { found, why })
			assert.is_true(took >= limit and took < limit + 1000, took)
		end
	end))

	it("asks again while it waits", async(function()
		local server = start()
		assert.same({ nil, "timeout" }, { dns.lookup("silent.test", dns.A, 2600) })
		-- Three times in the first round, and the second has begun.
		assert.is_true(server:count("silent.test/A") > 3)
	end))

	it("asks the second server when the first is dead or silent", async(function()
		local server = names.start(ZONE)
		for _, first in ipairs({ raw.dead_address(), names.silent() }) do
			dns.server(first, server.addr)
			local took, found = node.timed(dns.lookup, "a.test", dns.A, 2000)
			assert.equal("10.0.0.1", found)
			assert.is_true(took >= 300, took)
			-- Now that it is known, others need not wait for it.
			took = node.timed(function()
				for _, name in ipairs({ "both.test", "alias.test", "step.test", "many.test", "brief.test" }) do
					assert.is_string((dns.lookup(name, dns.A, 2000)))
				end
			end)
			assert.is_true(took < 5 * 300, took)
		end
	end))

	it("asks the servers in order", async(function()
		local first = names.start [[{
			["x.test"] = { ttl = 0, A = { "10.0.0.1" } },
			["broken.test"] = { mode = "servfail" },
		}]]
		local second = names.start [[{ ["*"] = { ttl = 0, A = { "10.0.0.2" } } }]]
		dns.server(first.addr, second.addr)
		for _ = 1, 5 do
			assert.equal("10.0.0.1", (dns.lookup("x.test", dns.A)))
			time.sleep(1)
		end
		assert.equal(0, second:count("x.test/A"))
		-- What the first denies, it denies for all; what it cannot say, the next may.
		assert.same({ nil, "no such name" }, { dns.lookup("y.test", dns.A) })
		assert.equal("10.0.0.2", (dns.lookup("broken.test", dns.A)))
		dns.server(second.addr, first.addr)
		assert.equal("10.0.0.2", (dns.lookup("x.test", dns.A)))
	end))

	it("forgets what it kept when the servers change", async(function()
		local one, other = names.start(ZONE), names.start [[{ ["a.test"] = { A = { "10.9.9.9" } } }]]
		dns.server(one.addr)
		assert.equal("10.0.0.1", (dns.lookup("a.test", dns.A)))
		dns.server(other.addr)
		assert.equal("10.9.9.9", (dns.lookup("a.test", dns.A)))
	end))

	it("survives malformed answers", async(function()
		start()
		for _, name in ipairs({ "garbage", "short", "wrong-id", "wrong-question", "loop", "cut" }) do
			local took, found, why = node.timed(dns.lookup, name .. ".test", dns.A, 300)
			assert.is_nil(found)
			assert.truthy(why == "timeout" or why:find("^malformed answer: "), why)
			assert.is_true(took < 1300, took)
		end
		assert.equal("10.0.0.1", (dns.lookup("a.test", dns.A)))
	end))

	it("serves a crowd that asks for one name, and one that asks for many", async(function()
		local server = start [[{ ["*"] = { A = { "10.0.0.7" } } }]]
		local results = node.crowd(500, function()
			return dns.lookup("one.test", dns.A)
		end)
		for index = 1, 500 do
			assert.same({ "10.0.0.7" }, results[index])
		end
		assert.is_true(server:count("one.test/A") < 500)
		results = node.crowd(500, function(index)
			return dns.lookup("n" .. index .. ".test", dns.A)
		end)
		for index = 1, 500 do
			assert.same({ "10.0.0.7" }, results[index])
		end
	end))

	it("leaves the loop to others while it waits", async(function()
		dns.server(names.silent())
		local over
		task.fork(function()
			dns.lookup("a.test", dns.A, 300)
			over = true
		end)
		local own = echo.open()
		local calls = 0
		while not over do
			assert.equal("x", (own.ask("x")))
			calls = calls + 1
		end
		own.close()
		assert.is_true(calls > 20, calls)
	end))

	it("leaves no descriptor behind when the time is up", async(function()
		local function descriptors()
			local pipe = assert(io.popen("ls /proc/" .. silly.pid .. "/fd | wc -l"))
			local count = pipe:read("*n")
			pipe:close()
			return count
		end
		dns.server(names.silent())
		dns.lookup("first.test", dns.A, 20) -- makes what stays
		local before = descriptors()
		node.crowd(30, function(index)
			return dns.lookup("n" .. index .. ".test", dns.A, 400)
		end)
		node.eventually(function()
			return descriptors() <= before
		end, "the end of the sockets")
	end))

	it("must run in a task", function()
		for _, name in ipairs({ "lookup", "resolve" }) do
			assert.error_matches(function()
				dns[name]("10.0.0.1", dns.A)
			end, "dns." .. name .. " must run in a task: wrap it in task.fork", nil, true)
		end
	end)

	it("says which argument is wrong", async(function()
		local function refused(message, fn, ...)
			local ok, problem = pcall(fn, ...)
			assert.is_false(ok)
			assert.truthy(problem:find(message, 1, true), problem)
		end
		refused("dns.lookup: the name must be a string, got nil", dns.lookup)
		refused("dns.resolve: the name must be a string, got number 5", dns.resolve, 5, dns.A)
		refused("dns.lookup: the type must be dns.A, dns.AAAA or dns.SRV, got number 16", dns.lookup, "a.test", 16)
		refused("dns.resolve: the type must be dns.A, dns.AAAA or dns.SRV, got string \"A\"", dns.resolve, "a.test", "A")
		refused("dns.lookup: the timeout must be between 1 and", dns.lookup, "a.test", dns.A, 0)
		refused("dns.lookup: the timeout must be a whole number, got string \"x\"", dns.lookup, "a.test", dns.A, "x")
		refused("dns.server: each address must be a string, got nil", dns.server, "127.0.0.1:53", nil)
		refused("dns.server: bad address \"127.0.0.1\": the port is missing", dns.server, "127.0.0.1")
		refused('dns.server: bad address "ns.test:53": a name server is known by its address alone', dns.server,
			"ns.test:53")
	end))

	it("keeps the loop alive while it waits, and not longer", function()
		local out, err, status = process.run([[
			local dns, task = require "silly.net.dns", require "silly.task"
			dns.server("127.0.0.1:1")
			task.fork(function()
				print(dns.lookup("a.test", dns.A, 200))
			end)
		]])
		assert.same({ "nil\ttimeout\n", "", 0 }, { out, err, status })
	end)

	it("does not keep silly.exit waiting", function()
		local began = os.time()
		local _, err, status = process.run([[
			local dns, task, time = require "silly.net.dns", require "silly.task", require "silly.time"
			dns.server("127.0.0.1:1")
			task.fork(function()
				dns.lookup("a.test", dns.A, 10000)
			end)
			time.after(50, function()
				require("silly").exit(7)
			end)
		]])
		assert.same({ "", 7 }, { err, status })
		assert.is_true(os.time() - began < 5)
	end)
end)
