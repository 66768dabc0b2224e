--- JSON as the commands read and write it.

local json = require "silly.internal.json"

describe("JSON", function()
	it("is read", function()
		for text, value in pairs {
			["1"] = 1, ["-0.5e+2"] = -50, ["0"] = 0, ["true"] = true, ["false"] = false, ['""'] = "",
			[' "a\\n\\"\\\\\\/\127" '] = 'a\n"\\/\127', ['"\\u00e9\\u20AC\\ud83d\\ude00"'] = "é€😀",
			["[]"] = {}, ["{}"] = {}, ['[1, "two", [3], {"four": 4}]'] = { 1, "two", { 3 }, { four = 4 } },
			['{"a" : {"b":[true,false]}, "c":null}'] = { a = { b = { true, false } } },
		} do
			assert.same(value, (json.decode(text)), text)
		end
	end)

	it("that is none is refused, with what is wrong and where", function()
		for text, problem in pairs {
			[""] = "a value wanted, at byte 1", ["nil"] = "a value wanted, at byte 1",
			["01"] = "more behind the value, at byte 2", ["1."] = "more behind the value, at byte 2",
			["[1,]"] = "a value wanted, at byte 4", ["[1 2]"] = "',' or ']' wanted, at byte 4",
			["{1:2}"] = "a name in quotes wanted, at byte 2", ['{"a"}'] = "':' wanted, at byte 5",
			['"a'] = "a string does not end, at byte 2", ['"\n"'] = "a control character in a string, at byte 2",
			['"\\x"'] = "an unknown escape, at byte 2", ['"\\u12"'] = "four hexadecimal digits wanted, at byte 4",
			['"\\ud800"'] = "half of a surrogate pair, at byte 4", ['"\\udc00"'] = "half of a surrogate pair, at byte 4",
			["[null]"] = "null in an array, at byte 2", [("["):rep(1000)] = "nested too deep, at byte 101",
		} do
			assert.same({ nil, "not JSON: " .. problem }, { json.decode(text) }, text)
		end
		assert.same({ nil, "null" }, { json.decode("null") })
	end)

	it("is written, the same text for the same value", function()
		for text, value in pairs {
			["[1,2.5,-3]"] = { 1, 2.5, -3 }, ['{"a":true,"c":{"d":"e"}}'] = { c = { d = "e" }, a = true },
			['"\\"\\\\\\u000a\\u007f€"'] = '"\\\n\127€', ["9007199254740991"] = 2 ^ 53 - 1, ["null"] = 1 / 0, ["{}"] = {},
		} do
			assert.equal(text, json.encode(value))
		end
		if math.maxinteger then
			assert.equal("9223372036854775807", json.encode(math.maxinteger))
		end
	end)

	it("comes back as it was", function()
		local value = { list = { { a = 1 }, { b = "\0\1\255" } }, number = 0.1 }
		assert.same(value, (json.decode(json.encode(value))))
	end)
end)
