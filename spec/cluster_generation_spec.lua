--- Generation 2 of the wire, and both in one process.

local silly = require "silly"
local cluster = require "silly.net.cluster"
local task = require "silly.task"
local time = require "silly.time"
local helper = require "spec.helper"
local log = require "spec.support.log"
local meter = require "spec.support.meter"
local node = require "spec.support.node"
local process = require "spec.support.process"
local raw = require "spec.support.raw"
local wire = require "spec.support.wire"

local two = wire.two
local MIB = 1024 * 1024

--- A string of a length that is no repetition at any distance that a lost or doubled part would have.
local function body(length)
	local parts, size, number = {}, 0, 0
	while size < length do
		number = number + 1
		parts[number] = number .. ("."):rep(1000) .. ","
		size = size + #parts[number]
	end
	return table.concat(parts):sub(1, length)
end

--- Waits for a line in the log: a connection ends a moment before the log says why.
local function told(text)
	node.eventually(function()
		return log.mentions(text) > 0
	end, "a line in the log: " .. text)
	return log.mentions(text)
end

describe("generation 2 of the wire", function()
	before_each(node.before)
	after_each(node.after)

	it("carries the bytes of nodes that speak it", async(function()
		node.serve({
			wire = 2,
			call = function(_, cmd, data)
				assert(cmd == 0x01020305 and data == "hello")
				return "world"
			end,
		})
		local server = raw.listen()
		local peer = node.connect(server.addr)
		local there = server:accept()
		assert.is_true(cluster.send(peer, 0x01020305, "hello"))
		node.eventually(function()
			there:pull()
			return #there.arrived == 25
		end, "the request")
		assert.equal("15000000", wire.hex(there.arrived:sub(1, 4)))
		assert.equal("05030201" .. ("0"):rep(16) .. "68656c6c6f", wire.hex(there.arrived:sub(9)))

		local client = raw.connect(node.listen().addr)
		client:send(two.request(0x0a0b0c0d, 0x01020305, "hello", "1122334455667788"))
		node.eventually(function()
			client:pull()
			return #client.arrived == 13
		end, "the answer")
		assert.equal("090000000d0c0b8a776f726c64", wire.hex(client.arrived))
	end))

	it("carries trace ids, empty bodies and answers as the other one does", async(function()
		node.serve({
			wire = 2,
			call = function(peer, cmd)
				return (cluster.call(peer, cmd + 1, ""))
			end,
		})
		local client = raw.connect(node.listen().addr)
		client:send(two.request(5, 7, "", "1122334455667788"))
		local question = client:frame(nil, two)
		assert.same({ false, 8, "", "1122334455660000" }, {
			question.response, question.cmd, question.data, question.trace,
		})
		client:send(two.response(question.session, ""))
		local answer = client:frame(nil, two)
		assert.same({ true, 5, "" }, { answer.response, answer.session, answer.data })
	end))

	it("is read byte by byte, and many in one piece", async(function()
		node.serve({ wire = 2 })
		local client = raw.connect(node.listen().addr)
		local stream = {}
		for session = 1, 20 do
			stream[session] = two.request(session, 1, ("x"):rep(session))
		end
		stream = table.concat(stream)
		for at = 1, 100 do
			client:send(stream:sub(at, at))
			time.sleep(0)
		end
		client:send(stream:sub(101))
		for session = 1, 20 do
			local frame = client:frame(nil, two)
			assert.same({ session, "r:" .. ("x"):rep(session) }, { frame.session, frame.data })
		end
	end))

	it("bridges nodes of both in one process", async(function()
		local one, other = node.pair(1), node.pair(2)
		local long = body(70000)
		node.serve({
			call = function(_, cmd, data)
				if cmd == 1 then
					return (cluster.call(other, 2, data .. "1"))
				elseif cmd == 2 then
					return data .. "2"
				end
				return #data
			end,
			marshal = function(_, cmd, data)
				return cmd, tostring(data)
			end,
		})
		assert.same({ "x12", nil }, { cluster.call(one, 1, "x") })
		assert.same({ "70000", nil }, { cluster.call(other, 3, long) })
		assert.same(
			{ nil, "request data of 70000 bytes is over the limit of 65519" }, { cluster.call(one, 3, long) }
		)
	end))

	it("has handles of its own: one address, two generations", async(function()
		local listener = node.listen(nil, nil, { wire = 2 })
		local second = node.connect(listener.addr, { wire = 2 })
		local first = node.connect(listener.addr)
		assert.is_false(first == second)
		assert.equal(second, node.connect(listener.addr, { wire = 2 }))
		assert.equal(first, node.connect(listener.addr, { wire = 1 }))
		cluster.close(first)
		assert.equal(second, node.connect(listener.addr, { wire = 2 }))
		assert.equal("r:x", (cluster.call(second, 1, "x")))
		node.serve({ wire = 2 })
		assert.equal(second, node.connect(listener.addr))
		assert.equal("r:x", (cluster.call({ addr = listener.addr }, 1, "x")))
	end))

	it("raises for a generation that there is none of", async(function()
		for _, wrong in ipairs({ 0, 3, 1.5, "one", true }) do
			for name, use in pairs({
				["cluster.serve"] = function()
					local function none() end
					cluster.serve({ marshal = none, unmarshal = none, call = none, wire = wrong })
				end,
				["cluster.listen"] = function()
					cluster.listen("127.0.0.1:0", nil, { wire = wrong })
				end,
				["cluster.connect"] = function()
					cluster.connect("127.0.0.1:1", { wire = wrong })
				end,
			}) do
				local ok, problem = helper.protect(use)
				assert.is_false(ok)
				assert.matches(name .. ": option 'wire' must be ", problem)
				assert.matches("generation_spec", problem)
			end
		end
	end))

	it("names the other end on both peers, also once it is gone", async(function()
		local accepted, gone
		node.serve({
			wire = 2,
			accept = function(peer, addr)
				assert(peer.remoteaddr == addr)
				accepted = peer
			end,
			close = function(peer)
				gone = peer.remoteaddr
			end,
		})
		local listener = node.listen()
		local client = raw.connect(listener.addr)
		node.eventually(function()
			return accepted
		end, "the accept")
		assert.equal(client:name(), accepted.remoteaddr)
		client:close()
		node.eventually(function()
			return gone
		end, "the close")
		assert.equal(accepted.remoteaddr, gone)
		local peer = node.connect(listener.addr)
		assert.equal(listener.addr, peer.remoteaddr)
	end))
end)

describe("a long message", function()
	before_each(node.before)
	after_each(function()
		node.after()
		process.kill_all()
	end)

	for _, length in ipairs({ 65515, 65516, 65517, 65519, 65520, 65521, 131072, 3 * MIB + 1 }) do
		it(("of %d bytes arrives as it was, there and back"):format(length), async(function()
			node.serve({
				wire = 2,
				call = function(_, _, data)
					return data
				end,
			})
			local sent = body(length)
			assert.is_true(sent == cluster.call((node.pair()), 1, sent))
		end))
	end

	it("may be one of many, with short ones in between", async(function()
		node.serve({
			wire = 2,
			call = function(_, _, data)
				return data
			end,
		})
		local peer = node.pair()
		local mixed = {}
		for index = 1, 40 do
			mixed[index] = body(index % 4 == 0 and 200000 + index or index % 3 == 0 and 65519 or index)
		end
		for index, result in ipairs(node.crowd(40, function(index)
			return cluster.call(peer, 1, mixed[index])
		end)) do
			assert.is_true(result[1] == mixed[index], index)
		end
	end))

	it("has as many bytes as hardlimit says, and not one more", async(function()
		local limits = { wire = 2, hardlimit = 100016, softlimit = 2 ^ 31 - 1, timeout = 300 }
		function limits.call(_, cmd)
			return ("x"):rep(cmd)
		end
		node.serve(limits)
		local peer = node.pair()
		assert.equal(100012, #cluster.call(peer, 100012, ("x"):rep(100000)))
		assert.same(
			{ nil, "request data of 100001 bytes is over the limit of 100000" },
			{ cluster.call(peer, 1, ("x"):rep(100001)) }
		)
		assert.same({ nil, "timeout" }, { cluster.call(peer, 100013, "") })
		assert.equal(1, log.mentions("response data of 100013 bytes is over the limit of 100012"))
		assert.equal(5, #cluster.call(peer, 5, ""))
	end))

	it("is refused when hardlimit has been lowered before it could be sent", async(function()
		node.serve({ wire = 2, highwater = 1 })
		local server = raw.listen()
		local peer = node.connect(server.addr)
		local there = server:accept()
		cluster.send(peer, 1, ("x"):rep(16 * MIB)) -- more than the kernel takes
		local outcome
		task.fork(function()
			outcome = { cluster.call(peer, 1, ("x"):rep(3000)) }
		end)
		time.sleep(0)
		assert.is_nil(outcome)
		node.serve({ wire = 2, hardlimit = 2000 })
		node.eventually(function()
			there:pull()
			return outcome
		end, "the call's end")
		assert.same({ nil, "request data of 3000 bytes is over the limit of 1984" }, outcome)
	end))

	it("is not believed: who announces more than hardlimit is closed at once", async(function()
		node.serve({ wire = 2, hardlimit = 1000 })
		local good, listener = node.pair()
		local client = raw.connect(listener.addr)
		client:send(two.frame("", 1001))
		assert.is_true(client:has_ended())
		local why = "frame with a length of 1001, which is over the hardlimit of 1000"
		assert.equal(1, told("closing " .. client:name() .. ": " .. why))
		assert.equal("r:x", (cluster.call(good, 1, "x")))
	end))

	it("may be longer than all that waits for room, in both directions", async(function()
		node.serve({
			wire = 2,
			highwater = 1000,
			maxanswers = 1000,
			call = function(_, _, data)
				return data .. data
			end,
		})
		local peer = node.pair()
		local sent = body(5 * MIB)
		for _ = 1, 2 do
			assert.is_true(cluster.call(peer, 1, sent) == sent .. sent)
		end
		node.serve({
			wire = 2,
			highwater = 1000,
			call = function(_, _, data)
				return tostring(#data)
			end,
		})
		for _, result in ipairs(node.crowd(4, function()
			return cluster.call(peer, 1, sent)
		end)) do
			assert.equal(tostring(#sent), result[1])
		end
	end))

	it("is warned of beyond softlimit: once, and when they have become twice as long", async(function()
		node.serve({
			wire = 2,
			softlimit = 1000,
			call = function()
				return ""
			end,
		})
		local peer, listener = node.pair()
		cluster.call(peer, 1, ("x"):rep(984))
		assert.equal("", log.text())
		for _, length in ipairs({ 985, 990, 1985, 3000, 5000 }) do
			cluster.call(peer, 1, ("x"):rep(length))
		end
		local warning = "a request to " .. listener.addr .. " has %d bytes, over the softlimit of 1000"
		assert.equal(1, log.mentions(warning:format(1001)))
		assert.equal(1, log.mentions(warning:format(3016)))
		assert.equal(2, log.mentions("a request from "))
		assert.equal(4, log.count("W"))
		assert.equal(0, log.count("E"))
	end))

	it("needs nothing else to happen at the end that gathers it", async(function()
		-- In a process that has nothing to do but to read it, in which no timer ends a turn of the loop.
		local child = process.start([[
			local cluster = require "silly.net.cluster"
			cluster.serve {
				wire = 2,
				softlimit = 2 ^ 31 - 1,
				marshal = function(_, cmd, body) return cmd, body end,
				unmarshal = function(_, _, data) return data end,
				call = function(_, _, body) return tostring(#body) end,
			}
			print("at " .. assert(cluster.listen("127.0.0.1:0")).addr)
		]])
		node.serve({ wire = 2, softlimit = 2 ^ 31 - 1 })
		local peer = node.connect(child:output("at (%S+)"))
		for length = MIB, 5 * MIB, MIB do
			assert.same({ tostring(length), nil }, { cluster.call(peer, 1, ("x"):rep(length)) })
		end
	end))

	it("takes no memory once it is dropped, though nothing else happens", async(function()
		local server = raw.listen()
		local child = process.start(([[
			local cluster = require "silly.net.cluster"
			cluster.serve {
				wire = 2,
				softlimit = 2 ^ 31 - 1,
				marshal = function(_, cmd, body) return cmd, body end,
				unmarshal = function(_, _, data) return data end,
				call = function() end,
			}
			require("silly").run(function()
				assert(cluster.send(cluster.connect "%s", 1, "ready"))
			end)
		]]):format(server.addr))
		local client = server:accept()
		assert.equal("ready", client:frame(nil, two).data)
		local before = meter.resident(child.pid)
		-- Answers that nobody waits for.
		local stray = two.response(9, ("x"):rep(MIB))
		for _ = 1, 100 do
			client:send(stray)
		end
		time.sleep(50)
		local grown = meter.resident(child.pid) - before
		assert.is_true(grown < 20 * MIB, grown .. " bytes of 100 MiB")
	end))

	it("does not hold up another connection", async(function()
		node.serve({
			wire = 2,
			timeout = 30000,
			softlimit = 2 ^ 31 - 1,
			call = function(_, _, data)
				return data
			end,
		})
		local first, listener = node.pair()
		local second = node.connect(listener.addr, { shared = false })
		local sent = ("x"):rep(64 * MIB)
		local done, calls = false, 0
		task.fork(function()
			done = #cluster.call(first, 1, sent) == #sent
		end)
		repeat
			assert.equal("small", (cluster.call(second, 1, "small")))
			calls = calls + 1
		until done
		-- It passes in a thousand parts each way, with the others' turns in between.
		assert.is_true(calls > 100, calls .. " calls")
	end))

	it("takes the memory of what has come, not of what was announced", async(function()
		node.serve({ wire = 2 })
		local listener = node.listen()
		local before = meter.resident(silly.pid)
		local clients = {}
		for index = 1, 100 do
			clients[index] = raw.connect(listener.addr)
			clients[index]:send(two.frame(("x"):rep(1000), 100 * MIB))
		end
		node.eventually(function()
			return cluster.stats().bytes_received >= 100 * 1004
		end, "what was sent")
		assert.is_true(meter.resident(silly.pid) - before < 20 * MIB, "of 10,000 MiB announced")
		-- And the first of them still gets its answer, once the rest has come.
		local rest = 2 * MIB
		node.serve({
			wire = 2,
			call = function(_, _, data)
				return tostring(#data)
			end,
		})
		local late = raw.connect(listener.addr)
		local whole = two.request(1, 1, ("x"):rep(rest))
		late:send(whole:sub(1, 70000))
		time.sleep(20)
		late:send(whole:sub(70001))
		assert.equal(tostring(rest), late:frame(nil, two).data)
	end))
end)

describe("the other generation", function()
	before_each(node.before)
	after_each(node.after)

	local speakers = { wire, two }
	for own = 1, 2 do
		local other = 3 - own
		local text = ("it speaks generation %d of the wire, and this end generation %d"):format(other, own)

		--- Sends bytes of the other generation, which must close the connection with a word in the log.
		local function is_recognised(bytes)
			local asked
			node.serve({
				wire = own,
				call = function()
					asked = true
				end,
			})
			local client = raw.connect(node.listen().addr)
			client:send(bytes)
			assert.is_true(client:has_ended())
			assert.equal(1, told("closing " .. client:name() .. ": " .. text))
			assert.equal(1, log.count("E"))
			assert.is_nil(asked)
		end

		for what, data in pairs({ words = "hello", nothing = "", zeros = ("\0"):rep(300) }) do
			it(("%d is recognised by its first request, with %s, where %d is spoken"):format(other, what, own),
				async(function()
					is_recognised(speakers[other].request(0, 1, data))
				end))
		end

		it(("%d is recognised in many requests, where %d is spoken"):format(other, own), async(function()
			local requests = {}
			for session = 1, 500 do
				requests[session] = speakers[other].request(session, 1, ("x"):rep(session % 40))
			end
			is_recognised(table.concat(requests))
		end))
	end

	it("is not seen in a frame that merely begins like one", async(function()
		-- 25 of its bytes are a request of generation 2; the rest of it follows.
		local client = raw.connect(node.listen().addr)
		local request = wire.request(1, 1, ("\0"):rep(0x1500 - 16))
		client:send(request:sub(1, 25))
		time.sleep(50)
		client:send(request:sub(26))
		assert.equal(2 + 0x1500 - 16, #client:frame().data)
		client:send(wire.request(2, 1, "x"))
		assert.equal("r:x", client:frame().data)
		assert.equal("", log.text())
	end))

	it("is told to a caller as a close", async(function()
		local listener = node.listen(nil, nil, { wire = 2 })
		local peer = node.connect(listener.addr, { wire = 1 })
		assert.same({ nil, "closed" }, { cluster.call(peer, 1, "hello") })
		assert.equal(1, told("it speaks generation 1 of the wire"))
	end))
end)
