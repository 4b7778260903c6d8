"""What a sender is told in Chinese beside the English sentence, by HL7 table 0357."""

from __future__ import annotations

_ADVICE = {
    "100": "消息段顺序或结构不对，请核对后重发",
    "101": "缺少必填字段，请补全后重发",
    "102": "字段的数据类型不对，请更正后重发",
    "103": "代码值不在代码表内，请更正后重发",
    "200": "不支持此消息类型，请核对 MSH-9",
    "201": "不支持此事件，请核对 MSH-9",
    "202": "不支持此处理标识，请核对 MSH-11",
    "203": "不支持此版本，请核对 MSH-12",
    "204": "未知的标识，请与平台管理员核对接入配置",
    "205": "标识重复，请更正后重发",
    "206": "记录被占用，请稍后重发",
    "207": "平台暂时无法接收，消息未保存，请保留并稍后重发",
}


def bilingual(english: str, condition: str) -> str:
    """Chinese advice for the condition, then the English sentence that says it exactly."""
    return f"{_ADVICE.get(condition, '消息无法接收，请核对后重发')} / {english}"
