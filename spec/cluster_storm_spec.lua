--- Rough weather: bytes at random, closes at random, garbage collection, the module loaded again.

local cluster = require "silly.net.cluster"
local logger = require "silly.logger"
local task = require "silly.task"
local time = require "silly.time"
local collector = require "spec.support.collector"
local dice = require "spec.support.dice"
local log = require "spec.support.log"
local node = require "spec.support.node"
local raw = require "spec.support.raw"
local wire = require "spec.support.wire"

describe("in rough weather the cluster", function()
	before_each(node.before)
	after_each(function()
		collectgarbage("restart")
		node.after()
	end)

	it("serves good clients while others send bytes at random", async(function()
		local roll = dice.new(1)
		local good, listener = node.pair()
		local others = 0
		for _ = 1, 60 do
			local bytes = {}
			for index = 1, roll(400) do
				bytes[index] = string.char(roll(256) - 1)
			end
			local client = raw.connect(listener.addr)
			client:send(table.concat(bytes))
			if roll(3) == 1 then
				client:reset()
			elseif roll(2) == 1 then
				client:close()
			end
			others = others + 1
			assert.equal("r:x", (cluster.call(good, 1, "x")))
		end
		assert.equal(60, others)
	end))

	it("reads good frames around damaged ones of other connections", async(function()
		local roll = dice.new(2)
		local listener = node.listen()
		for round = 1, 40 do
			local good, bad = raw.connect(listener.addr), raw.connect(listener.addr)
			local frame = wire.request(round, 1, ("x"):rep(roll(300)))
			local cut = roll(#frame)
			good:send(frame:sub(1, cut))
			local place = roll(#frame)
			bad:send(frame:sub(1, place - 1) .. string.char(roll(256) - 1) .. frame:sub(place + 1))
			time.sleep(0)
			good:send(frame:sub(cut + 1))
			assert.equal(round, good:frame().session)
			good:close()
			bad:close()
		end
	end))

	it("keeps its promises while connections are closed at random", async(function()
		local roll = dice.new(3)
		local accepted = {}
		node.serve({
			timeout = 2000,
			accept = function(peer)
				accepted[#accepted + 1] = peer
			end,
			call = function(peer, cmd, body)
				if cmd == 2 then
					time.sleep(roll(5))
				elseif cmd == 3 then
					cluster.close(peer)
				elseif cmd == 4 then
					return (cluster.call(peer, 1, body))
				end
				return body
			end,
		})
		local listener = node.listen()
		local outcomes = {}
		node.crowd(40, function()
			for _ = 1, 25 do
				local peer = node.connect(listener.addr)
				local body = tostring(roll(1000))
				local deed = roll(20)
				if deed == 1 then
					cluster.close(peer)
				elseif deed == 2 and #accepted > 0 then
					cluster.close(accepted[roll(#accepted)])
				elseif deed == 3 then
					time.sleep(roll(3))
				end
				local answer, why = cluster.call(peer, roll(4), body)
				assert(answer == nil or answer == body, "somebody else's answer")
				local outcome = why or "answered"
				outcomes[outcome] = (outcomes[outcome] or 0) + 1
			end
		end)
		assert.is_true(outcomes.answered > 0)
		outcomes.answered, outcomes.closed, outcomes["peer closed"] = nil, nil, nil
		-- A call back that failed leaves its caller without an answer.
		outcomes.timeout = nil
		assert.same({}, outcomes)
		assert.equal("", log.text())
	end))

	it("survives every kind of garbage collection", async(function()
		local peer = node.pair()
		local function work()
			local results = node.crowd(200, function(index)
				local body = ("%d "):format(index):rep(20)
				return cluster.call(peer, 1, body) == "r:" .. body
			end)
			for index = 1, 200 do
				assert.is_true(results[index][1])
			end
		end
		if _VERSION >= "Lua 5.4" then
			collectgarbage("generational")
			work()
			collectgarbage("incremental")
		end
		local pause, factor = collector.set("pause", 105), collector.set("stepmul", 400)
		work()
		collector.set("pause", pause)
		collector.set("stepmul", factor)
		collectgarbage("stop")
		work()
		collectgarbage("restart")
		for _ = 1, 5 do
			task.fork(function()
				collectgarbage()
			end)
			work()
		end
	end))

	it("says the right words though finalisers log and send in between", async(function()
		local newproxy = rawget(_G, "newproxy")
		local ran = 0
		local function finalise()
			ran = ran + 1
			-- Each of these makes another text in the library.
			logger.info("finaliser")
			pcall(cluster.send, { addr = "127.0.0.1:1" }, 1, ("y"):rep(70000))
		end
		local function litter()
			if newproxy then
				getmetatable(newproxy(true)).__gc = finalise
			else
				setmetatable({}, { __gc = finalise })
			end
		end
		node.serve({
			call = function(_, _, body)
				litter()
				return body
			end,
			accept = function(_, addr)
				litter()
				assert(addr:find("^127%.0%.0%.1:%d+$"), addr)
			end,
		})
		local listener = node.listen()
		local pause = collector.set("pause", 105)
		for index = 1, 100 do
			litter()
			local peer = node.connect(listener.addr, { shared = false })
			assert.equal("x" .. index, (cluster.call(peer, 1, "x" .. index)))
			local _, why = cluster.call(peer, 1, ("z"):rep(65520 + index))
			assert.equal(("request data of %d bytes is over the limit of 65519"):format(65520 + index), why)
			cluster.close(peer)
		end
		collector.set("pause", pause)
		collectgarbage()
		assert.is_true(ran > 100)
		assert.equal(0, log.count("E"))
	end))

	it("keeps no memory of calls, handles and connections that are over", async(function()
		local listener = node.listen()
		local function round()
			for _ = 1, 30 do
				local peer = node.connect(listener.addr, { shared = false })
				assert(cluster.call(peer, 1, "x") == "r:x")
				cluster.close(peer)
				local dead = { addr = listener.addr }
				assert(cluster.call(dead, 1, "x") == "r:x")
				cluster.close(dead)
			end
			time.sleep(20)
		end
		local function size()
			collectgarbage()
			collectgarbage()
			return collectgarbage("count")
		end
		round()
		round()
		local before = size()
		for _ = 1, 5 do
			round()
		end
		local growth = size() - before
		assert.is_true(growth < 60, growth)
	end))

	it("is the same after its modules are loaded again", async(function()
		local peer = node.pair()
		assert.equal("r:1", (cluster.call(peer, 1, "1")))
		local kept = {}
		for name, module in pairs(package.loaded) do
			if name:find("^silly") then
				kept[name] = module
				package.loaded[name] = nil
			end
		end
		local again = require "silly.net.cluster"
		local other_task = require "silly.task"
		require "silly"
		assert.equal("r:2", (again.call(peer, 1, "2")))
		local answer
		other_task.fork(function()
			answer = again.call(again.connect(peer.addr), 1, "3")
		end)
		node.eventually(function()
			return answer
		end, "the call of the reloaded module")
		assert.equal("r:3", answer)
		assert.equal(peer, again.connect(peer.addr))
		for name, module in pairs(kept) do
			package.loaded[name] = module
		end
		assert.equal("r:4", (cluster.call(peer, 1, "4")))
	end))
end)
