--- What fits into a message: commands, data, their limits.

local cluster = require "silly.net.cluster"
local log = require "spec.support.log"
local node = require "spec.support.node"

describe("a message", function()
	before_each(node.before)
	after_each(node.after)

	it("C10: the command is a whole number, counted modulo 2^32", async(function()
		local peer = node.pair()
		local given
		node.serve({
			marshal = function(_, _, body)
				return given, body
			end,
			call = function(_, cmd)
				return tostring(cmd)
			end,
		})
		for _, case in ipairs({
			{ "7", "7" }, { -1, "4294967295" }, { 2 ^ 32 + 5, "5" }, { 0, "0" }, { 4294967295, "4294967295" },
		}) do
			given = case[1]
			assert.equal(case[2], (cluster.call(peer, 1, "hi")))
		end
		for _, wrong in ipairs({ 3.5, "foo", {}, true }) do
			given = wrong
			local ok, why = pcall(cluster.call, peer, 1, "hi")
			assert.is_false(ok)
			assert.truthy(why:find("cluster.call: marshal must return an integer command first, got ", 1, true))
			assert.truthy(pcall(cluster.send, peer, 1, "hi") == false)
		end
	end))

	it("C10: a misfit is quoted, with the command that it was for", async(function()
		local peer = node.pair()
		local number, data
		node.serve({
			marshal = function()
				return number, data
			end,
		})
		for _, case in ipairs({
			{ "x", "x", 'an integer command first, got string "x"' }, { 1.5, nil, "an integer command first, got number 1.5" },
			{ 1, {}, "a string second, got table" }, { 1, 5, "a string second, got number 5" },
			{ ("x"):rep(99), "", 'an integer command first, got string "' .. ("x"):rep(37) .. '..."' },
		}) do
			number, data = case[1], case[2]
			for _, name in ipairs({ "call", "send" }) do
				local ok, why = pcall(function()
					cluster[name](peer, "greet", "hi")
				end)
				assert.is_false(ok)
				assert.matches("cluster_message_spec%.lua:%d+: ", why)
				assert.equal(('cluster.%s: marshal must return %s for cmd "greet"'):format(name, case[3]),
					(why:gsub("^.-:%d+: ", "")))
			end
		end
	end))

	it("C10: the data is a string", async(function()
		local peer = node.pair()
		for _, wrong in ipairs({ 5, true, {}, "nil" }) do
			node.serve({
				marshal = function()
					if wrong == "nil" then
						return 1, nil
					end
					return 1, wrong
				end,
			})
			local ok, why = pcall(cluster.call, peer, 1, "hi")
			assert.is_false(ok)
			assert.truthy(why:find("cluster_message_spec.lua:%d+: cluster.call: marshal must return a string second")
				or why:find("cluster.call: marshal must return a string second, got ", 1, true))
		end
		node.serve({
			call = function(_, _, body)
				return body
			end,
		})
		assert.equal("", (cluster.call(peer, 1, "")))
	end))

	it("C11: the handler sees the number, the answer's unmarshal the caller's own command", async(function()
		local seen = {}
		node.serve({
			marshal = function(kind, cmd, body)
				return kind == "request" and 77 or cmd, body
			end,
			unmarshal = function(kind, cmd, data)
				seen[kind] = cmd
				return data
			end,
			call = function(_, cmd, body)
				seen.handler = cmd
				return body
			end,
		})
		local peer = node.pair()
		cluster.call(peer, "hello", "x")
		assert.same({ request = 77, handler = 77, response = "hello" }, seen)
		local key = {}
		cluster.call(peer, key, "x")
		assert.equal(key, seen.response)
	end))

	it("C12: data up to the limit of a frame fits both ways; over it the caller is told", async(function()
		local peer = node.pair()
		node.serve({
			call = function(_, _, body)
				return tostring(#body)
			end,
		})
		assert.equal("65519", (cluster.call(peer, 1, ("x"):rep(65519))))
		assert.same(
			{ nil, "request data of 65520 bytes is over the limit of 65519" },
			{ cluster.call(peer, 1, ("x"):rep(65520)) }
		)
		assert.same(
			{ nil, "request data of 1000000 bytes is over the limit of 65519" },
			{ cluster.send(peer, 1, ("x"):rep(1000000)) }
		)
		node.serve({
			call = function(_, _, body)
				return ("x"):rep(tonumber(body))
			end,
		})
		assert.equal(65531, #cluster.call(peer, 1, "65531"))
		assert.same({ nil, "timeout" }, { cluster.call(peer, 1, "65532", 60) })
		assert.equal(1, log.count("E"))
		assert.truthy(log.text():find("response data of 65532 bytes is over the limit of 65531", 1, true))
		assert.equal("xx", (cluster.call(peer, 1, "2")))
	end))

	it("an answer that is no string is logged and costs only its caller", async(function()
		local answer = 5
		node.serve({
			marshal = function(kind, cmd, body)
				if kind == "response" then
					return cmd, answer
				end
				return cmd, body
			end,
		})
		local peer = node.pair()
		assert.same({ nil, "timeout" }, { cluster.call(peer, 1, "x", 60) })
		assert.equal(1, log.count("E"))
		answer = "fine"
		assert.equal("fine", (cluster.call(peer, 1, "x")))
	end))
end)
