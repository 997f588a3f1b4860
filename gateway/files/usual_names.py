"""Names that columns usually have, by the field of the contract that they hold; the first that a file has is taken."""

from __future__ import annotations

import re

_SIGNS = re.compile(r"[^a-z0-9]+")


def plain_name(name: str) -> str:
    """A column's name in lower case, letters and digits only: `user_id`, `userId` and `User ID` are one."""
    return _SIGNS.sub("", name.lower())


def _names(text: str) -> tuple[str, ...]:
    return tuple(text.split())


USUAL_NAMES: dict[str, tuple[str, ...]] = {
    "user_id": _names(
        "userid user uid customeruniqueid customerid customer custid personid person reviewerid reviewer memberid "
        "member accountid profileid clientid client buyerid shopperid subscriberid playerid studentid readerid "
        "authorid author username userno usernumber login email emailaddress useremail customeremail respnum "
        "respondentid respondent participantid"
    ),
    "anonymous_id": _names("anonymousid anonid visitorid visitor deviceid cookieid clientid fullvisitorid"),
    "item_id": _names(
        "itemid item movieid movie filmid asin parentasin productid product contentid articleid article newsid bookid "
        "isbn isbn13 songid trackid artistid albumid videoid showid animeid gameid appid recipeid courseid hotelid "
        "restaurantid placeid venueid businessid listingid propertyid postid podcastid jobid eventitemid imdbid tmdbid "
        "sku skuid gtin ean upc stockcode productcode itemcode"
    ),
    "value": _names(
        "rating ratings value stars star overall score reviewscore starrating ratingvalue overallrating reviewrating "
        "userrating bookrating grade ratingscore nps npsscore netpro csat csatscore"
    ),
    "occurred_at": _names(
        "occurredat timestamp unixreviewtime ts eventtime eventtimestamp datetime time createdat submittedat ratedat "
        "reviewdate reviewtime reviewcreationdate purchasedate orderpurchasetimestamp orderdate invoicedate "
        "transactiondate visittime date eventdate createdate creationdate tweetcreated unixtime epoch updatedat"
    ),
    "kind": _names("kind eventtype eventname event action actiontype interactiontype interaction behavior behaviour "
                   "behaviortype activity activitytype type"),
    "text": _names(
        "text reviewtext reviewbody reviewcontent reviewcommentmessage review comment comments commenttext body "
        "content message feedback tweet verbatim tag tags"
    ),
    "title": _names(
        "title name itemname productname productdisplayname movietitle booktitle itemtitle producttitle headline "
        "summary reviewtitle reviewheadline reviewcommenttitle"
    ),
    "categories": _names("categories category genres genre productcategory productcategoryname itemcategory "
                         "categoryname topics topic section department producttype"),
    "tags": _names("tags keywords labels"),
    "description": _names("description productdescription itemdescription overview plot abstract"),
    "price": _names("price unitprice productprice itemprice amount saleprice"),
    "currency": _names("currency currencycode"),
    "quantity": _names("quantity qty units count"),
    "available": _names("available availability instock stockstatus isavailable stock inventory active isactive"),
    "url": _names("url link producturl itemurl permalink"),
    "image_url": _names("imageurl image imagelink imgurl picture thumbnail poster"),
    "released_at": _names("releasedat releasedate published publishedat publicationdate"),
    "order_id": _names("orderid ordernumber invoiceno invoice transactionid"),
    "session_id": _names("sessionid session visitid"),
    "country": _names("country countrycode usercountry customercountry"),
    "region": _names("region userregion customerstate state"),
    "device": _names("device devicetype devicecategory"),
    "id": _names("eventid reviewid ratingid responseid commentid messageid tweetid"),
}  # fmt: skip

NPS_NAMES = frozenset({"nps", "npsscore", "netpro", "netpromoterscore", "likelihoodtorecommend"})
PURCHASE_WORDS = ("purchase", "order", "transaction", "sale", "invoice", "basket")
FILE_WORDS = {
    **dict.fromkeys(PURCHASE_WORDS, "purchase"),
    "view": "view",
    "click": "click",
    "bookmark": "bookmark",
    "favorit": "bookmark",
    "wishlist": "bookmark",
    "follow": "follow",
    "like": "reaction",
}
"""What a file's name says of what people did, where no column does."""


def asks_to_recommend(name: str) -> bool:
    """Whether a column is the question of the net promoter score."""
    words = name.lower()
    return plain_name(name) in NPS_NAMES or ("recommend" in words and ("likely" in words or "likelihood" in words))
